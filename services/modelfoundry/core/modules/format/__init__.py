"""The module file: `docs/module-format.md` describes it for those who read it without this program.

One file a part, each both ways: bits, masks, heads, rewritten tensors, channels that were cut.
"""

from modelfoundry.core.modules.format.reading import read_module
from modelfoundry.core.modules.format.writing import write_module

__all__ = ["read_module", "write_module"]
