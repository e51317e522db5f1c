"""The NATS seam: the only room that imports ``nats``."""

from fleet_core.messaging.commands import CommandServer, error_reply
from fleet_core.messaging.connection import Connection, Subscription, connect
from fleet_core.messaging.desired import DesiredHandler, DesiredReader
from fleet_core.messaging.feed import KvFeed
from fleet_core.messaging.feed_protocol import FeedHandler, FeedStats, KnownKeys
from fleet_core.messaging.jetstream import api_request, ensure_audit_stream, ensure_buckets
from fleet_core.messaging.kv import KvBucket, KvEntry
from fleet_core.messaging.protocol import Message
from fleet_core.messaging.requests import Reply, RequestClient
from fleet_core.messaging.settings import ConnectionSettings, LinkState, LinkStatus
from fleet_core.messaging.writer import LatestWriter

__all__ = [
    "CommandServer",
    "Connection",
    "ConnectionSettings",
    "DesiredHandler",
    "DesiredReader",
    "FeedHandler",
    "FeedStats",
    "KnownKeys",
    "KvBucket",
    "KvEntry",
    "KvFeed",
    "LatestWriter",
    "LinkState",
    "LinkStatus",
    "Message",
    "Reply",
    "RequestClient",
    "Subscription",
    "api_request",
    "connect",
    "ensure_audit_stream",
    "ensure_buckets",
    "error_reply",
]
