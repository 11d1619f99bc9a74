"""paperworks: the papers of one day as working software.

Import the method, run the claim, see the evidence::

    from paperworks import lmul          # one module a paper
    lmul.mul(1.5, 1.5)                   # 2.125: multiplication by integer addition

``paperworks list`` on the command line shows every paper; ``paperworks run`` measures its claims on this machine.
"""

__version__ = "0.1.0"
