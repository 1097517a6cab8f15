"""The dock's parts: small widgets that own their state and emit signals."""

from __future__ import annotations
