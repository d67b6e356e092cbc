"""``python -m monitor`` is ``duban``."""

from monitor.cli import main

main()
