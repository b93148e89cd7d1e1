"""What gunicorn serves and `flask` commands use."""

import sys

from config import NAME, Config, ConfigError
from project import create_app

try:
    app = create_app(Config.from_env())
except ConfigError as error:
    sys.exit(f"{NAME}: {error}")
