-- What policies that only PostgreSQL can evaluate say of rows: the body of a PL/pgSQL function of the
-- session's own. Asked is the setting walcast.rows, a JSON object: role, table (its name, by which
-- its columns may be qualified), condition (the policies as one expression), columns (arrays of name,
-- type's oid, typmod), rows (arrays of the columns' texts, or null), claims (texts). The answer is
-- walcast.answers, a JSON array for each of the claims: of each row true, false, or the text of what
-- failed. See row_query.c for the transaction around it.
DECLARE
  asked jsonb := current_setting('walcast.rows')::jsonb;
  answers jsonb := '[]';
  answer jsonb;
  questions text[];
  claims text;
  seen boolean;
BEGIN
  SELECT array_agg(format('SELECT (%s) FROM (SELECT %s) AS %I(%s)', asked ->> 'condition',
      (SELECT string_agg(coalesce(quote_literal(r.row ->> (c.n - 1)::int), 'NULL') || '::'
        || format_type((c.def ->> 1)::oid, (c.def ->> 2)::int), ', ' ORDER BY c.n)
       FROM jsonb_array_elements(asked -> 'columns') WITH ORDINALITY AS c(def, n)),
      asked ->> 'table',
      (SELECT string_agg(quote_ident(c.def ->> 0), ', ' ORDER BY c.n)
       FROM jsonb_array_elements(asked -> 'columns') WITH ORDINALITY AS c(def, n))) ORDER BY r.n)
    INTO questions FROM jsonb_array_elements(asked -> 'rows') WITH ORDINALITY AS r(row, n);
  FOR claims IN SELECT jsonb_array_elements_text(asked -> 'claims') LOOP
    answer := '[]';
    FOR n IN 1..cardinality(questions) LOOP
      BEGIN
        PERFORM set_config('request.jwt.claims', claims, true), set_config('role', asked ->> 'role', true);
        SET LOCAL search_path TO DEFAULT;
        EXECUTE questions[n] INTO seen;
        SET LOCAL search_path TO '';
        PERFORM pg_catalog.set_config('role', 'none', true);
        answer := pg_catalog.jsonb_insert(answer, '{-1}', pg_catalog.to_jsonb(coalesce(seen, false)), true);
      EXCEPTION WHEN query_canceled THEN
        RAISE;
      WHEN OTHERS THEN
        answer := pg_catalog.jsonb_insert(answer, '{-1}',
          pg_catalog.to_jsonb(pg_catalog.format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE)), true);
      END;
    END LOOP;
    answers := pg_catalog.jsonb_insert(answers, '{-1}', answer, true);
  END LOOP;
  PERFORM pg_catalog.set_config('walcast.answers', answers::text, true);
END
