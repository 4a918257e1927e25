"""Organisations, keys, generations and their hourly sums. The first version: nothing before it is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "house",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_house"),
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
    )
    _keys()
    _generations()


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("ending", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("models", sa.Text, nullable=False, server_default="[]"),
        sa.Column("providers", sa.Text, nullable=False, server_default="[]"),
        sa.Column("limit_nano", sa.BigInteger),
        sa.Column("limit_reset", sa.Text),
        sa.Column("toll_bps", sa.Integer),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name="fk_api_keys_organisation_organisations"),
    )
    op.create_index("ix_api_keys_organisation_created_ms", "api_keys", ["organisation", "created_ms"])
    op.create_table(
        "repeated_calls",
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "name", name="pk_repeated_calls"),
    )


def _generations() -> None:
    op.create_table(
        "generations",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
    )
    op.create_index("ix_generations_created_ms", "generations", ["created_ms"])
    op.create_table(
        "unreadable_records",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_unreadable_records"),
    )
    op.create_table(
        "usage_hours",
        sa.Column("hour_s", sa.BigInteger, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("vendor_nano", sa.BigInteger, nullable=False),
        sa.Column("toll_nano", sa.BigInteger, nullable=False),
        sa.Column("total_nano", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hour_s", "key_id", "model", "endpoint", name="pk_usage_hours"),
    )
    op.create_index("ix_usage_hours_key_id_hour_s", "usage_hours", ["key_id", "hour_s"])
