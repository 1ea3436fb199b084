"""What gunicorn serves: ``api.wsgi:app``."""

from __future__ import annotations

import contextlib
import os

from api.app import create_app
from api.services import EXTENSION
from shared.durability import check_durability
from shared.errors import StoreUnavailable
from shared.settings import Settings

_settings = Settings.from_env(os.environ)
app = create_app(_settings)
# A store that is away is looked at before the first write.
with contextlib.suppress(StoreUnavailable):
    check_durability(app.extensions[EXTENSION].client, _settings.durability)
