"""``python -m renderapi`` is the ``renderapi`` command."""

import sys

from renderapi.cli import main

sys.exit(main())
