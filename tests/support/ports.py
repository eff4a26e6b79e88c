"""Free ports for servers that tests start."""

from __future__ import annotations

from deploy.local.ports import free_port

__all__ = ["free_port"]
