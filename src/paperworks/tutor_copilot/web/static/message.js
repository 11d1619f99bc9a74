// A message as elements: text nodes, and MathML built from trees of [tag, attributes, children].

const MATHML = "http://www.w3.org/1998/Math/MathML";
const TAGS = new Set(
  ("math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover " +
    "mtable mtr mtd mstyle mpadded menclose").split(" "),
);

function mathNode(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const [tag, attributes, children] = tree;
  if (!TAGS.has(tag)) return document.createTextNode("");
  const node = document.createElementNS(MATHML, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!name.startsWith("on")) node.setAttribute(name, value);
  }
  node.append(...children.map(mathNode));
  return node;
}

export function writeMessage(parts, by, mine) {
  const item = document.createElement("li");
  if (mine) item.className = "mine";
  const name = document.createElement("span");
  name.className = "by";
  name.textContent = by;
  const words = document.createElement("div");
  words.className = "words";
  words.dir = "auto";
  words.append(...parts.map((part) => (typeof part === "string" ? document.createTextNode(part) : mathNode(part.math))));
  item.append(name, words);
  return item;
}
