-- +goose Up

-- A connection plans each statement of the function anew for its first few calls, with the arrays as constants; and an element of
-- such a constant is found by walking there. 20,000 entries took 4 s so, 50,000 longer than a transaction may, and every publish
-- waited. With one plan for all calls, as later ones have it anyway, an element is found at once.
ALTER FUNCTION journal_append(text[], bigint[], text[], text[], text[], text[], text[], bigint[], text[], text[], text[])
    SET plan_cache_mode = force_generic_plan;

-- +goose Down
ALTER FUNCTION journal_append(text[], bigint[], text[], text[], text[], text[], text[], bigint[], text[], text[], text[])
    RESET plan_cache_mode;
