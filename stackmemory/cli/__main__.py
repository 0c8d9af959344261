"""`python -m stackmemory.cli`."""

import sys

from stackmemory.cli.main import main

sys.exit(main())
