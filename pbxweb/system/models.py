"""What the owner decided once for the whole house. One row a decision."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pbxweb.storage.database import Model


class SystemSetting(Model):
    """One decision: its name and its value as JSON. The names are the fields of ``house.House``."""

    __tablename__ = "system_settings"
    configures_asterisk = True

    id: Mapped[str] = mapped_column("key", String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
