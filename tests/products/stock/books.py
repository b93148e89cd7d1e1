"""What is wrong with the books: products whose stock is not what their movements add up to."""

from __future__ import annotations

# One row for each fault: which product, and what. A product that other changes have touched since
# its last movement has a later `updated_at`; never an earlier one.
FAULTS = """
WITH told AS (
    SELECT product_id, id, quantity, balance_after, created_at,
        sum(quantity) OVER line AS total,
        lag(created_at) OVER line AS before,
        lead(id) OVER line IS NULL AS is_last
    FROM stock_movements WINDOW line AS (PARTITION BY product_id ORDER BY id)
), closed AS (
    SELECT products.id, stock, updated_at, coalesce(total, 0) AS total, told.created_at
    FROM products LEFT JOIN told ON product_id = products.id AND is_last
)
SELECT id, 'stock' FROM closed WHERE stock <> total
UNION ALL SELECT id, 'updated before its last movement' FROM closed WHERE created_at > updated_at
UNION ALL SELECT product_id, 'balance of ' || id FROM told WHERE balance_after <> total
UNION ALL SELECT product_id, 'instant of ' || id FROM told WHERE created_at < before
UNION ALL SELECT product_id, 'two openings' FROM stock_movements WHERE kind = 'opening'
    GROUP BY product_id HAVING count(*) > 1
"""

# From then on the ledger cannot be written, as if somebody held it too long.
SAYS_NO = """
CREATE FUNCTION says_no() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'lock_not_available'; END $$;
CREATE TRIGGER says_no AFTER INSERT ON stock_movements
    FOR EACH ROW EXECUTE FUNCTION says_no();
"""
