"""product counts; an empty ledger may be truncated"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# In a dump data comes before triggers. Restored as data only, into triggers that are there
# already, the products count themselves: the counts of the dump are left out.
COUNTS = """
INSERT INTO product_counts (slot, total, active, version)
SELECT 0, count(*), count(*) FILTER (WHERE is_active), 1 FROM products HAVING count(*) > 0;

CREATE FUNCTION product_counts_restored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END $$;
CREATE TRIGGER restored BEFORE INSERT ON product_counts FOR EACH ROW
    WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION product_counts_restored();
"""

# A slot is held until the end of its transaction, so each takes the first that is free, or makes
# one more: nobody ever waits for it. The lock, unlike one of the row, is written nowhere.
# A step of the version is at least 1, and not always the same: what was rolled back, or lost with
# a server, is not likely to have had the number of what came instead.
COUNT = """
CREATE FUNCTION count_products() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    free integer := 0;
    more bigint := 0;
    more_active bigint;
    step bigint := 1 + floor(random() * 1000000);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        more_active := nullif(current_setting('stockroom.more_active', true), '');
        IF more_active IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM set_config('stockroom.more_active', '', true);
    ELSE
        SELECT count(*), count(*) FILTER (WHERE is_active) INTO more, more_active FROM changed;
        IF more = 0 THEN
            RETURN NULL;
        ELSIF TG_OP = 'DELETE' THEN
            more := -more;
            more_active := -more_active;
        END IF;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock(7217, free) LOOP
        free := free + 1;
    END LOOP;
    UPDATE product_counts
    SET total = total + more, active = active + more_active, version = version + step
    WHERE slot = free;
    IF NOT FOUND THEN
        INSERT INTO product_counts (slot, total, active, version)
        VALUES (free, more, more_active, step);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_insert AFTER INSERT ON products REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_products();
CREATE TRIGGER count_delete AFTER DELETE ON products REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_products();
"""

# A trigger of named columns cannot have a table of the changed rows, and one of all columns would
# cost every sale. So each row that differs is added to a setting of the transaction, and the
# statement counts once: counting row by row would take time in the square of their number.
UPDATED = """
CREATE FUNCTION product_counts_differ() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config(
        'stockroom.more_active',
        (coalesce(nullif(current_setting('stockroom.more_active', true), ''), '0')::bigint
            + NEW.is_active::integer - OLD.is_active::integer)::text,
        true
    );
    RETURN NULL;
END $$;
CREATE TRIGGER count_differences AFTER UPDATE OF name, is_active ON products FOR EACH ROW
    WHEN ((OLD.name, OLD.is_active) IS DISTINCT FROM (NEW.name, NEW.is_active))
    EXECUTE FUNCTION product_counts_differ();
CREATE TRIGGER count_update AFTER UPDATE OF name, is_active ON products
    FOR EACH STATEMENT EXECUTE FUNCTION count_products();
"""

# Who truncates waits for all who have counted, so no slot is held then.
TRUNCATED = """
CREATE FUNCTION product_counts_begin_anew() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE product_counts
    SET total = 0, active = 0, version = version + 1 + floor(random() * 1000000)::bigint;
    RETURN NULL;
END $$;
CREATE TRIGGER count_truncate AFTER TRUNCATE ON products
    FOR EACH STATEMENT EXECUTE FUNCTION product_counts_begin_anew();
"""

# The snapshot of any other isolation may be older than lines that are there.
APPEND_ONLY_BUT_EMPTY = """
CREATE OR REPLACE FUNCTION stock_movements_append_only() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('transaction_isolation') = 'read committed'
        AND NOT EXISTS (SELECT FROM stock_movements)
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'stock movements are never changed or deleted (%)', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$
"""
APPEND_ONLY = """
CREATE OR REPLACE FUNCTION stock_movements_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock movements are never changed or deleted (%)', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$
"""


def upgrade() -> None:
    op.execute(APPEND_ONLY_BUT_EMPTY)
    op.execute("LOCK products IN SHARE ROW EXCLUSIVE MODE")  # what is written meanwhile counts too
    op.create_table(
        "product_counts",
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_product_counts")),
        postgresql_with={"fillfactor": 50},
    )
    for statements in COUNTS, COUNT, UPDATED, TRUNCATED:
        op.execute(statements)


def downgrade() -> None:
    for trigger in "insert", "delete", "differences", "update", "truncate":
        op.execute(f"DROP TRIGGER count_{trigger} ON products")
    op.drop_table("product_counts")
    for function in "restored", "differ", "begin_anew":
        op.execute(f"DROP FUNCTION product_counts_{function}()")
    op.execute("DROP FUNCTION count_products()")
    op.execute(APPEND_ONLY)
