"""The workbench: from an atomic-resolution image to columns with error bars, defects and strain."""

import warnings

# exspy 0.3.2, which HyperSpy imports, uses names that HyperSpy 2.5 is about to move: three warnings of every worker
warnings.filterwarnings("ignore", "Importing `Lazy", UserWarning)
