"""What names are also called, and which names are also words: plain data, in lower case."""

from __future__ import annotations

NICKNAMES: dict[str, tuple[str, ...]] = {
    name: tuple(others.split())
    for name, _, others in (
        line.partition(": ")
        for line in """
alexander: alex sasha
alexandra: alex sasha
andrew: andy drew
anthony: tony
benjamin: ben benny
christina: chris tina
christopher: chris
daniel: dan danny
deborah: deb debbie
edward: ed eddie
elizabeth: liz lizzie beth eliza
gabriel: gabe
gabriela: gabi
isabella: bella izzy
jacob: jake
james: jim jimmy jamie
jennifer: jen jenny
jessica: jess jessie
jonathan: jon jonny
joseph: joe joey
joshua: josh
katherine: kate kathy katie
kenneth: ken kenny
leonardo: leo
madeline: maddie
margaret: maggie meg
matthew: matt
michael: mike mikey
nathaniel: nate
nicholas: nick nicky
olivia: liv livvy
patricia: pat patty
patrick: pat
rebecca: becca becky
richard: rich ricky
robert: rob robbie
robbie: rob
ronald: ron ronnie
samantha: sam sammy
samuel: sam sammy
stephanie: steph
steven: steve
susan: sue susie
theodore: theo teddy
thomas: tom tommy
timothy: tim timmy
victoria: vicky tori
william: will liam
zachary: zach
""".strip().splitlines()
    )
}
"""Of a first name, those that people use for it and that begin or sound like it."""

ALSO_WORDS = frozenset({
    "angel", "april", "art", "august", "autumn", "bill", "bond", "brook", "chase", "christian", "clay", "cook",
    "daisy", "dawn", "dean", "del", "der", "dos", "drew", "faith", "field", "frank", "gene", "grace", "grant",
    "gray", "green", "guy", "hall", "harmony", "heath", "hill", "holly", "hope", "hunter", "iris", "ivy", "jack",
    "jasmine", "jewel", "josh", "joy", "june", "king", "lane", "las", "lily", "long", "mark", "mason", "max", "may",
    "melody", "miles", "moon", "norm", "park", "pat", "penny", "price", "ray", "rich", "rob", "robin", "rose",
    "ruby", "short", "sky", "small", "star", "stone", "sue", "summer", "ten", "tory", "van", "violet", "von",
    "wade", "ward", "wells", "will", "wood", "young",
})  # fmt: skip
"""Names that stand in ordinary sentences too."""
