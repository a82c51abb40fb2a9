"""The catalog's tables. Nothing here reads or writes them."""

from __future__ import annotations

import sqlalchemy as sa

meta = sa.MetaData()
versions = sa.Table(
    "model_versions",
    meta,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)
# Highest number ever given, so that a removed version's number is never used again.
models = sa.Table(
    "models",
    meta,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
)
aliases = sa.Table(
    "aliases",
    meta,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("alias", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
moves = sa.Table(
    "alias_moves",
    meta,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("alias", sa.String(64), nullable=False),
    sa.Column("before", sa.Integer),
    sa.Column("after", sa.Integer, nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
)
datasets = sa.Table(
    "datasets",
    meta,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)
revision = sa.Table(
    "revision",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
