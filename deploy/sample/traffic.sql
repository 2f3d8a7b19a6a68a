-- The sample traffic of deploy/up: every second one new row in each table, one todo done, and what
-- is older than the newest fifty removed.
WITH new_todo AS (
  INSERT INTO public.todos (task)
  SELECT (ARRAY['Water the plants', 'Write to Ada', 'Mend the gate', 'Buy oats', 'Call the bank'])
    [1 + floor(random() * 5)::int]
), done AS (
  UPDATE public.todos SET is_complete = true
  WHERE id = (SELECT min(id) FROM public.todos WHERE NOT is_complete)
), old_todos AS (
  DELETE FROM public.todos
  WHERE is_complete AND id <= (SELECT max(id) - 50 FROM public.todos)
    AND id <> coalesce((SELECT min(id) FROM public.todos WHERE NOT is_complete), 0)
), new_message AS (
  INSERT INTO public.messages (room, author, body)
  SELECT (ARRAY['lobby', 'garden'])[1 + floor(random() * 2)::int],
    (ARRAY['ada', 'grace', 'linus'])[1 + floor(random() * 3)::int], 'It is ' || clock_timestamp()
)
DELETE FROM public.messages WHERE id <= (SELECT max(id) - 50 FROM public.messages)
\watch 1
