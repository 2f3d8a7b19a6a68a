-- What policies that only PostgreSQL can evaluate say of rows: the body of a PL/pgSQL function of the
-- session's own. Asked is the setting walcast.rows, a JSON object: role, table (its name, by which
-- its columns may be qualified), condition (the policies as one expression), columns (arrays of name,
-- type's oid, typmod; those that the condition reads, perhaps none), rows (arrays of the columns' texts, or null), claims (texts). The answer is
-- walcast.answers, a JSON array for each of the claims: of each row true, false, or the text of what
-- failed. See row_query.c for the transaction around it.
-- The condition is parsed once, before the role is taken, since names in a policy are looked up when
-- it is made: who is held against it needs no USAGE on their schemas. All that is checked when it
-- runs, tables, functions and their row-level security, is the role's. (Where it reads a table with
-- row-level security of its own PostgreSQL parses it anew under the role.)
DECLARE
  asked jsonb := current_setting('walcast.rows')::jsonb;
  answers jsonb := '[]';
  answer jsonb;
  question text;
  questions text[];
  failure text;
  claims text;
  seen boolean;
  prepared boolean := false;
  alone boolean;
BEGIN
  IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'walcast_rows') THEN
    DEALLOCATE walcast_rows; -- of one that was cut off
  END IF;
  SELECT format('PREPARE walcast_rows%s AS SELECT (%s)%s',
      '(' || string_agg(format_type((c.def ->> 1)::oid, -1), ', ' ORDER BY c.n) || ')', asked ->> 'condition',
      ' FROM (SELECT ' || string_agg('$' || c.n || '::' || format_type((c.def ->> 1)::oid, (c.def ->> 2)::int), ', ' ORDER BY c.n)
        || format(') AS %I(', asked ->> 'table') || string_agg(quote_ident(c.def ->> 0), ', ' ORDER BY c.n) || ')')
    INTO question FROM jsonb_array_elements(asked -> 'columns') WITH ORDINALITY AS c(def, n);
  SELECT array_agg('EXECUTE walcast_rows' || coalesce('(' || (SELECT string_agg(coalesce(quote_literal(v), 'NULL'), ', ' ORDER BY i)
      FROM jsonb_array_elements_text(r.row) WITH ORDINALITY AS value(v, i)) || ')', '') ORDER BY r.n)
    INTO questions FROM jsonb_array_elements(asked -> 'rows') WITH ORDINALITY AS r(row, n);
  -- One plan for all claims would keep what a function gave for the first of them that says it is
  -- immutable and reads them. Where there are such functions, not of C, each has a plan of its own:
  -- of one row made when it is run, of several prepared anew.
  alone := EXISTS (SELECT FROM pg_proc p WHERE p.oid >= 16384 AND p.provolatile = 'i' AND p.prolang NOT IN (12, 13));
  IF alone AND cardinality(questions) = 1 THEN
    SET LOCAL plan_cache_mode = force_custom_plan;
    alone := false;
  ELSE
    SET LOCAL plan_cache_mode = force_generic_plan;
  END IF;
  FOR claims IN SELECT jsonb_array_elements_text(asked -> 'claims') LOOP
    answer := '[]';
    IF prepared AND alone THEN
      DEALLOCATE walcast_rows;
      prepared := false;
    END IF;
    IF NOT prepared AND failure IS NULL THEN
      BEGIN
        SET LOCAL search_path TO DEFAULT; -- as it runs, or it would be parsed again
        EXECUTE question;
        SET LOCAL search_path TO '';
        prepared := true;
      EXCEPTION WHEN query_canceled THEN
        RAISE;
      WHEN OTHERS THEN
        failure := pg_catalog.format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE);
      END;
    END IF;
    FOR n IN 1..cardinality(questions) LOOP
      IF failure IS NOT NULL THEN
        answer := jsonb_insert(answer, '{-1}', to_jsonb(failure), true);
        CONTINUE;
      END IF;
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
  IF prepared THEN
    DEALLOCATE walcast_rows;
  END IF;
  PERFORM pg_catalog.set_config('walcast.answers', answers::text, true);
END
