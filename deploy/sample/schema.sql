-- The sample schema of deploy/up: two tables, and what the roles of the keys' JWTs, which `walcast
-- setup --apply` has made, may do. Runs at every start and changes nothing that is there.

-- Tables that are made later may be read by clients too, as in a Supabase project; switch row-level
-- security on where that is not meant.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon, authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO service_role;
-- One that an older start made does not bypass it.
ALTER ROLE service_role BYPASSRLS;

CREATE TABLE IF NOT EXISTS public.todos (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task text NOT NULL,
  is_complete boolean NOT NULL DEFAULT false,
  inserted_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  room text NOT NULL,
  author text NOT NULL,
  body text NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now()
);

GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
GRANT SELECT ON public.todos, public.messages TO anon, authenticated;
GRANT ALL ON public.todos, public.messages TO service_role;
