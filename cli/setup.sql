-- Walcast's part in the source database: roles, the schemas realtime and auth, the functions in
-- them, and two event triggers. `walcast setup --print` prints this, `walcast setup --apply` runs it; nothing else does. Run
-- again it changes nothing. Functions of the same name that are not Walcast's (a Supabase project
-- has its own) are left as they are.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog, pg_temp;

-- The roles that tokens name. service_role sees every row, so it bypasses row-level security.
DO $setup$
DECLARE
  wanted text;
  me pg_roles%ROWTYPE;
BEGIN
  SELECT * INTO me FROM pg_roles WHERE rolname = current_user;
  FOREACH wanted IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
    IF NOT me.rolsuper AND NOT me.rolcreaterole THEN
      RAISE EXCEPTION 'user "%" may not make role "%": it has no CREATEROLE', me.rolname, wanted
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'run it as a superuser, or make the roles first: CREATE ROLE anon NOLOGIN; '
                'CREATE ROLE authenticated NOLOGIN; CREATE ROLE service_role NOLOGIN BYPASSRLS';
    END IF;
    IF wanted = 'service_role' AND NOT me.rolsuper
       AND NOT (me.rolbypassrls AND current_setting('server_version_num')::int >= 160000) THEN
      RAISE EXCEPTION 'user "%" may not make role "service_role", which bypasses row-level security',
        me.rolname
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'run it as a superuser, or let one make it first: '
                'CREATE ROLE service_role NOLOGIN BYPASSRLS';
    END IF;
    EXECUTE format('CREATE ROLE %I NOLOGIN%s', wanted,
      CASE WHEN wanted = 'service_role' THEN ' BYPASSRLS' ELSE '' END);
  END LOOP;
  -- Policies of private channels are asked as the role: this user must be able to take it.
  FOREACH wanted IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
    CONTINUE WHEN me.rolsuper OR pg_has_role(me.oid, wanted, 'MEMBER');
    EXECUTE format('GRANT %I TO %I', wanted, me.rolname);
  END LOOP;
END
$setup$;

CREATE SCHEMA IF NOT EXISTS realtime;
CREATE SCHEMA IF NOT EXISTS auth;

-- Whether a function is missing, or Walcast's, so that it may be (re)placed.
CREATE OR REPLACE FUNCTION pg_temp.walcast_may_make(signature text) RETURNS boolean
LANGUAGE sql AS $body$
  SELECT to_regprocedure(signature) IS NULL
    OR coalesce(obj_description(to_regprocedure(signature), 'pg_proc') LIKE 'Walcast: %', false)
$body$;

DO $setup$
BEGIN
  IF NOT pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE nspname = 'realtime'), 'USAGE')
  THEN
    RETURN; -- somebody else's schema: who may use it is theirs to say
  END IF;
  GRANT USAGE ON SCHEMA realtime TO anon, authenticated, service_role;
  -- What policies of private channels are written on. No message is stored in it.
  IF to_regclass('realtime.messages') IS NULL THEN
    CREATE TABLE realtime.messages (
      topic text NOT NULL,
      extension text NOT NULL,
      payload jsonb,
      event text,
      private boolean DEFAULT false,
      updated_at timestamp NOT NULL DEFAULT now(),
      inserted_at timestamp NOT NULL DEFAULT now(),
      id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
    COMMENT ON TABLE realtime.messages IS
      'Walcast: its row-level security says who may join a private channel and send on it';
    ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, INSERT ON realtime.messages TO anon, authenticated, service_role;
  END IF;
END
$setup$;

DO $setup$
BEGIN
  IF pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE nspname = 'auth'), 'USAGE')
  THEN
    GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
  END IF;

  IF pg_temp.walcast_may_make('realtime.topic()') THEN
    CREATE OR REPLACE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS $body$
      SELECT nullif(current_setting('realtime.topic', true), '')
    $body$;
    COMMENT ON FUNCTION realtime.topic() IS
      'Walcast: the topic of the channel that a policy on realtime.messages is asked about';
  END IF;

  IF pg_temp.walcast_may_make('auth.jwt()') THEN
    CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $body$
      SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), ''))::jsonb
    $body$;
    COMMENT ON FUNCTION auth.jwt() IS 'Walcast: the claims of the token of whoever asks';
  END IF;

  IF pg_temp.walcast_may_make('auth.uid()') THEN
    CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $body$
      SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
    $body$;
    COMMENT ON FUNCTION auth.uid() IS 'Walcast: the claim sub of the token of whoever asks';
  END IF;

  IF pg_temp.walcast_may_make('auth.role()') THEN
    CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE AS $body$
      SELECT coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
    $body$;
    COMMENT ON FUNCTION auth.role() IS 'Walcast: the claim role of the token of whoever asks';
  END IF;
END
$setup$;

-- A broadcast from SQL is a logical message, not a row: it is in the WAL, so it goes out when its
-- transaction commits, in order with the transaction's rows, and not at all when it is rolled back.
-- Prefix: realtime.broadcast. Content: JSON in UTF-8,
--   {"id": uuid, "topic": text, "event": text, "private": boolean, "payload": any JSON}
-- and where schemas are projects' of their own (postgres.tenant_schemas) whose it is: "schema", of
-- the table that broadcast_changes tells of, else "project", which is the setting walcast.project_id
-- or the claim project_id of whoever asks;
-- with `id` also put into a payload that is an object without one, as Supabase does.
--
-- It goes past the policies on realtime.messages, so only service_role may call it. For others, call
-- it in a function (of a trigger, say) that is SECURITY DEFINER and checks what it must.
DO $setup$
BEGIN
  IF pg_temp.walcast_may_make('realtime.send(jsonb,text,text,boolean)') THEN
    CREATE OR REPLACE FUNCTION realtime.send(payload jsonb, event text, topic text,
      private boolean DEFAULT true) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $body$
    DECLARE
      message_id uuid := gen_random_uuid();
      project text := coalesce(nullif(current_setting('walcast.project_id', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'project_id');
      home text := nullif(current_setting('walcast.schema', true), '');
      content bytea;
    BEGIN
      IF current_setting('server_version_num')::int < 140000 THEN
        RAISE EXCEPTION 'realtime.send needs PostgreSQL 14 or newer: 13 does not send logical messages to subscribers'
          USING ERRCODE = 'feature_not_supported';
      END IF;
      IF coalesce(topic, '') = '' OR coalesce(event, '') = '' THEN
        RAISE EXCEPTION 'realtime.send: expected a topic and an event'
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
      IF jsonb_typeof(payload) = 'object' AND NOT payload ? 'id' THEN
        payload := payload || jsonb_build_object('id', message_id);
      END IF;
      content := convert_to((jsonb_build_object('id', message_id, 'topic', topic, 'event', event,
        'private', coalesce(private, true), 'payload', payload)
        || CASE WHEN home IS NOT NULL THEN jsonb_build_object('schema', home)
             WHEN project IS NOT NULL THEN jsonb_build_object('project', project)
             ELSE '{}' END)::text, 'UTF8');
      IF octet_length(content) > 1048576 THEN
        RAISE EXCEPTION 'realtime.send: the message has % bytes, more than 1048576',
          octet_length(content) USING ERRCODE = 'program_limit_exceeded';
      END IF;
      PERFORM pg_logical_emit_message(true, 'realtime.broadcast', content);
    END
    $body$;
    COMMENT ON FUNCTION realtime.send(jsonb, text, text, boolean) IS
      'Walcast: a broadcast to a topic, as logical message realtime.broadcast: JSON id, topic, event, private, payload';
    REVOKE ALL ON FUNCTION realtime.send(jsonb, text, text, boolean) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION realtime.send(jsonb, text, text, boolean) TO service_role;
  END IF;

  IF pg_temp.walcast_may_make(
    'realtime.broadcast_changes(text,text,text,text,text,record,record,text)') THEN
    CREATE OR REPLACE FUNCTION realtime.broadcast_changes(topic_name text, event_name text,
      operation text, table_name text, table_schema text, new record, old record,
      level text DEFAULT 'ROW') RETURNS void LANGUAGE plpgsql SET search_path = '' AS $body$
    BEGIN
      IF level = 'STATEMENT' THEN
        RAISE EXCEPTION 'realtime.broadcast_changes: for triggers FOR EACH ROW, not FOR EACH STATEMENT'
          USING ERRCODE = 'feature_not_supported';
      END IF;
      IF operation IS NULL OR operation NOT IN ('INSERT', 'UPDATE', 'DELETE') THEN
        RAISE EXCEPTION 'realtime.broadcast_changes: operation "%"; expected INSERT, UPDATE or DELETE',
          operation USING ERRCODE = 'invalid_parameter_value';
      END IF;
      PERFORM set_config('walcast.schema', table_schema, true);
      PERFORM realtime.send(jsonb_build_object('schema', table_schema, 'table', table_name,
        'operation', operation, 'record', new, 'old_record', old), event_name, topic_name);
      PERFORM set_config('walcast.schema', '', true);
    END
    $body$;
    COMMENT ON FUNCTION
      realtime.broadcast_changes(text, text, text, text, text, record, record, text) IS
      'Walcast: a row trigger''s change, broadcast to a private topic by realtime.send';
    REVOKE ALL ON FUNCTION
      realtime.broadcast_changes(text, text, text, text, text, record, record, text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION
      realtime.broadcast_changes(text, text, text, text, text, record, record, text)
      TO service_role;
  END IF;
END
$setup$;

-- DDL is told of in the WAL, by the logical message walcast.ddl in its transaction: so changed
-- policies, grants and functions count in order with the data. The message holds {"xid", "tag"};
-- what it makes Walcast do is to ask the database anew, whoever wrote it. A statement that changes
-- nothing which a role may see (an index, a comment, a temporary table) is passed over; what cannot
-- be told is nobody's failure: policies are asked for every auth.grants_interval all the same, which
-- is also how changes of roles themselves are noticed, since PostgreSQL fires nothing for them.
-- Event triggers are a superuser's to make; for others all but this is done.
DO $setup$
BEGIN
  IF current_setting('server_version_num')::int < 140000 THEN
    RETURN; -- 13 does not send logical messages to subscribers
  END IF;
  IF pg_temp.walcast_may_make('realtime.tell_ddl()') THEN
    CREATE OR REPLACE FUNCTION realtime.tell_ddl() RETURNS event_trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = '' AS $body$
    DECLARE
      matters boolean := true;
    BEGIN
      BEGIN
        IF tg_event = 'sql_drop' THEN
          matters := EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d
            WHERE NOT d.is_temporary AND d.object_type NOT IN ('index', 'trigger', 'sequence',
              'statistics object', 'table constraint', 'default value', 'rule'));
        ELSIF tg_tag LIKE 'DROP %' AND tg_tag <> 'DROP OWNED' THEN
          matters := false; -- what was dropped, sql_drop has told
        ELSIF tg_tag IN ('COMMENT', 'SECURITY LABEL', 'CREATE INDEX', 'ALTER INDEX', 'REINDEX',
          'CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE SEQUENCE', 'ALTER SEQUENCE',
          'CREATE STATISTICS', 'ALTER STATISTICS', 'REFRESH MATERIALIZED VIEW',
          'CREATE SUBSCRIPTION', 'ALTER SUBSCRIPTION', 'ALTER LARGE OBJECT') THEN
          matters := false;
        ELSE
          matters := NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands())
            OR EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS d
              WHERE d.schema_name IS DISTINCT FROM 'pg_temp');
        END IF;
      EXCEPTION WHEN OTHERS THEN
        matters := true;
      END;
      IF matters THEN
        PERFORM pg_logical_emit_message(true, 'walcast.ddl',
          json_build_object('xid', pg_current_xact_id()::text, 'tag', tg_tag)::text);
        -- Decoding places a message at the end of its record, where the next one begins; between a
        -- subtransaction, which this block is, and the one around it such a tie may fall either way.
        -- With a record in between no row that follows comes first.
        PERFORM pg_logical_emit_message(true, 'walcast.mark', '');
      END IF;
    EXCEPTION WHEN OTHERS THEN
      RAISE LOG 'Walcast could not be told of %: %', tg_tag, SQLERRM;
    END
    $body$;
    COMMENT ON FUNCTION realtime.tell_ddl() IS
      'Walcast: tells of DDL in the WAL, as logical message walcast.ddl';
    REVOKE ALL ON FUNCTION realtime.tell_ddl() FROM PUBLIC;
  END IF;
  IF obj_description('realtime.tell_ddl()'::regprocedure, 'pg_proc') LIKE 'Walcast: %' THEN
    -- Also in sessions whose session_replication_role is replica.
    IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'walcast_ddl') THEN
      CREATE EVENT TRIGGER walcast_ddl ON ddl_command_end EXECUTE FUNCTION realtime.tell_ddl();
      ALTER EVENT TRIGGER walcast_ddl ENABLE ALWAYS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'walcast_drop') THEN
      CREATE EVENT TRIGGER walcast_drop ON sql_drop EXECUTE FUNCTION realtime.tell_ddl();
      ALTER EVENT TRIGGER walcast_drop ENABLE ALWAYS;
    END IF;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'event triggers were not made: % (a superuser may make them)', SQLERRM;
END
$setup$;
DROP FUNCTION pg_temp.walcast_may_make(text);
COMMIT;
