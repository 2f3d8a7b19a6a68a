-- What the policies on realtime.messages say: the body of a PL/pgSQL function of the session's own.
-- Asked are the settings walcast.role, walcast.topic, walcast.subject and walcast.claims; the answer
-- is walcast.rights, a JSON array of reasons (null: allowed) for receiving broadcasts, seeing
-- presence, sending broadcasts and tracking presence. See channel_query.c for the transaction around
-- it. Names are qualified where the search path is not empty.
DECLARE
  asked_role text := current_setting('walcast.role');
  asked_topic text := current_setting('walcast.topic');
  extensions text[] := ARRAY['broadcast', 'presence'];
  verbs text[] := ARRAY['receive broadcasts', 'see presence', 'send broadcasts', 'track presence'];
  probes uuid[] := ARRAY[gen_random_uuid(), gen_random_uuid()];
  bypasses boolean;
  refusal text;
  reasons text[] := ARRAY[NULL, NULL, NULL, NULL]::text[];
  reads boolean;
BEGIN
  SELECT rolsuper OR rolbypassrls INTO bypasses FROM pg_roles WHERE rolname = asked_role;
  IF bypasses IS NULL THEN
    refusal := format('role "%s" does not exist in the database; make it: CREATE ROLE %I NOLOGIN',
      asked_role, asked_role);
  ELSIF bypasses THEN
    NULL;
  ELSIF to_regclass('realtime.messages') IS NULL THEN
    refusal := 'private channels need the table realtime.messages with policies on it: '
      'run walcast setup --apply';
  ELSIF pg_is_in_recovery() THEN
    refusal := 'the database is a read-only standby, where policies on realtime.messages cannot be '
      'tried: point postgres.url at the primary';
  ELSE
    BEGIN
      INSERT INTO realtime.messages (id, topic, extension)
        SELECT probes[i], asked_topic, extensions[i] FROM generate_series(1, 2) i;
    EXCEPTION WHEN OTHERS THEN
      refusal := format('the user of postgres.url could not write to realtime.messages: %s '
        '(SQLSTATE %s)', SQLERRM, SQLSTATE);
    END;
    IF refusal IS NULL THEN
      BEGIN
        PERFORM set_config('realtime.topic', asked_topic, true),
          set_config('request.jwt.claims', current_setting('walcast.claims'), true),
          set_config('request.jwt.claim.sub', current_setting('walcast.subject'), true),
          set_config('request.jwt.claim.role', asked_role, true),
          set_config('request.headers', '{}', true),
          set_config('role', asked_role, true);
        SET LOCAL search_path TO DEFAULT;
      EXCEPTION WHEN OTHERS THEN
        refusal := format('the user of postgres.url could not take the role: %s (SQLSTATE %s); '
          'GRANT %I TO that user', SQLERRM, SQLSTATE, asked_role);
      END;
    END IF;
    FOR n IN 1..4 LOOP
      EXIT WHEN refusal IS NOT NULL;
      BEGIN
        IF n <= 2 THEN
          SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 INTO reads
            FROM realtime.messages m WHERE m.id OPERATOR(pg_catalog.=) probes[n];
          IF NOT reads THEN
            reasons[n] := pg_catalog.format('no policy on realtime.messages lets role "%s" %s here',
              asked_role, verbs[n]);
          END IF;
        ELSE
          INSERT INTO realtime.messages (topic, extension) VALUES (asked_topic, extensions[n - 2]);
        END IF;
      EXCEPTION WHEN insufficient_privilege THEN
        reasons[n] := pg_catalog.format('no policy on realtime.messages lets role "%s" %s here (%s)',
          asked_role, verbs[n], SQLERRM);
      WHEN OTHERS THEN
        reasons[n] := pg_catalog.format('a policy on realtime.messages failed: %s (SQLSTATE %s)',
          SQLERRM, SQLSTATE);
      END;
    END LOOP;
    SET LOCAL search_path TO '';
    PERFORM pg_catalog.set_config('role', 'none', true);
  END IF;
  IF refusal IS NOT NULL THEN
    reasons := ARRAY[refusal, refusal, refusal, refusal];
  END IF;
  PERFORM set_config('walcast.rights', to_jsonb(reasons)::text, true);
END
