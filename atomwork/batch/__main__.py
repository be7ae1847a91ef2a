"""``python -m atomwork.batch NOTEBOOK|detect [SOURCE ...] --out-dir DIR [-p NAME=VALUE ...] [-f FILE.yaml]``."""

import argparse
import sys
from pathlib import Path

from atomwork import batch, parameters


def main(arguments=None):
    """Run a notebook, or detection alone, over sources; the exit code says whether all went well."""
    parser = argparse.ArgumentParser(prog="python -m atomwork.batch", description=batch.__doc__)
    parser.add_argument("notebook", help="path of a notebook, or the word detect: columns alone, without a notebook")
    parser.add_argument("sources", nargs="*", help="image files, sample:NAME, folders, patterns, or tables of parameters")
    parser.add_argument("--out-dir", required=True)
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-f", "--file", help="YAML file of parameters")
    parser.add_argument("--scheduler", help="slurm, pbs, sge, or the address of a Dask scheduler; this machine if not given")
    parser.add_argument("--workers", type=int, metavar="N", help="processes on this machine, or jobs in a queue")
    options = parser.parse_args(arguments)
    try:
        given = (parameters.of_file(options.file) if options.file else {}) | parameters.of_pairs(options.parameter)
        asked = {"parameters": given, "scheduler": options.scheduler, "n_workers": options.workers}
        if options.notebook == "detect":
            table = batch.detect(options.sources or None, options.out_dir, **asked)
        else:
            table = batch.run(options.notebook, options.sources or None, options.out_dir, **asked)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for row in table.itertuples():
        print(f"{row.source or options.notebook}: " + (f"done, see {row.out_dir}" if row.ok else row.error), file=sys.stderr)
    if len(table) > 1:
        print(f"{table['ok'].sum()} of {len(table)} complete, see {Path(options.out_dir) / 'index.html'}", file=sys.stderr)
    sys.exit(0 if table["ok"].all() else 1)


if __name__ == "__main__":
    main()
