/* The table of all metrics: X(ID, name, TYPE, doc). Included several times on purpose; no guard.
 * TYPE is COUNTER, GAUGE or HISTOGRAM. Names: walcast_{room}_{noun}_{unit}. */
X(CDC_ROWS, "walcast_cdc_rows_total", COUNTER, "Row changes decoded from the slot.")
X(CDC_TRANSACTIONS, "walcast_cdc_transactions_total", COUNTER,
  "Transactions decoded from the slot.")
X(CDC_RECEIVED_BYTES, "walcast_cdc_received_bytes_total", COUNTER, "Bytes received from the slot.")
X(CDC_SKIPPED_ROWS, "walcast_cdc_skipped_rows_total", COUNTER,
  "Row changes sent again by the slot that the stream already held.")
X(CDC_RECONNECTS, "walcast_cdc_reconnects_total", COUNTER,
  "Reconnects of the slot or the publisher.")
X(CDC_CONFIRMED_LSN, "walcast_cdc_confirmed_lsn", GAUGE, "Position told to PostgreSQL as flushed.")
X(CDC_RECEIVED_LSN, "walcast_cdc_received_lsn", GAUGE, "Last position received from the slot.")
X(CDC_LAG_BYTES, "walcast_cdc_lag_bytes", GAUGE,
  "WAL the server has written beyond the confirmed position.")
X(CDC_LAG_SECONDS, "walcast_cdc_lag_seconds", GAUGE,
  "Age of the last change stored, while WAL is written that is not; 0 when all is stored.")
X(CDC_SLOT_ACTIVE, "walcast_cdc_slot_active", GAUGE, "1 while a walsender streams the slot.")
X(CDC_SLOT_RETAINED_BYTES, "walcast_cdc_slot_retained_bytes", GAUGE,
  "WAL that the slot keeps on the server.")
X(CDC_SLOT_SAFE_WAL_BYTES, "walcast_cdc_slot_safe_wal_bytes", GAUGE,
  "WAL that may still be written before the slot is in danger of being lost; -1: no limit.")
X(CDC_SLOT_WAL_STATUS, "walcast_cdc_slot_wal_status", GAUGE,
  "wal_status: 1 reserved, 2 extended, 3 unreserved, 4 lost; 0 not known.")
X(CDC_WARNING, "walcast_cdc_warning", GAUGE,
  "1 while /health/ready says warning because of the slot.")
X(CDC_HEARTBEATS, "walcast_cdc_heartbeats_total", COUNTER,
  "Heartbeats written into the WAL since nothing else moved the position.")
X(CDC_STREAM_FULL, "walcast_cdc_stream_full", GAUGE,
  "1 while the change stream has no room and PostgreSQL keeps the WAL.")
X(CDC_HELD_TRANSACTIONS, "walcast_cdc_held_transactions", GAUGE,
  "Transactions sent in parts or prepared, whose end is not known yet or that are being published.")
X(CDC_HELD_MEMORY_BYTES, "walcast_cdc_held_memory_bytes", GAUGE, "Memory that they take.")
X(CDC_HELD_SPILL_BYTES, "walcast_cdc_held_spill_bytes", GAUGE,
  "What they take of the spill file's disk.")
X(CDC_SNAPSHOTS, "walcast_cdc_snapshots", GAUGE, "Snapshots under way in this process.")
X(CDC_SNAPSHOT_ROWS, "walcast_cdc_snapshot_rows_total", COUNTER,
  "Rows that snapshots have read into the stream.")
X(CDC_OUTBOX_EVENTS, "walcast_cdc_outbox_events_total", COUNTER,
  "Logical messages relayed into the stream of events.")
X(CDC_OUTBOX_REPEATED, "walcast_cdc_outbox_repeated_total", COUNTER,
  "Logical messages delivered again that the stream of events already held.")
X(CDC_OUTBOX_TOO_LARGE, "walcast_cdc_outbox_too_large_total", COUNTER,
  "Logical messages larger than the broker takes in one message: relayed without their content.")
X(CDC_STREAMING, "walcast_cdc_streaming", GAUGE, "1 while the slot is being streamed.")
X(CDC_FAILED, "walcast_cdc_failed", GAUGE,
  "1 while the source has stopped for a person to decide; /health/ready says why.")
X(CDC_GAPS, "walcast_cdc_gaps_total", COUNTER,
  "GAP events published: history that is missing or comes a second time.")
X(FANOUT_PUBLISHED_MESSAGES, "walcast_fanout_published_messages_total", COUNTER,
  "Messages handed to the publisher.")
X(FANOUT_PUBLISHED_BYTES, "walcast_fanout_published_bytes_total", COUNTER,
  "Payload bytes handed to the publisher.")
X(FANOUT_ACKED_MESSAGES, "walcast_fanout_acked_messages_total", COUNTER,
  "Messages acknowledged by JetStream in order.")
X(FANOUT_PUBLISH_FAILURES, "walcast_fanout_publish_failures_total", COUNTER,
  "Publishes refused, timed out or out of sequence; each ends the writer's window.")
X(FANOUT_ACK_SECONDS, "walcast_fanout_ack_seconds", HISTOGRAM, "From publish to its ack.")
X(FANOUT_WINDOW_MESSAGES, "walcast_fanout_window_messages", GAUGE, "Published and not yet acked.")
X(FANOUT_CONNECTED, "walcast_fanout_connected", GAUGE, "1 while connected to NATS.")
X(FANOUT_BUS_PUBLISHED, "walcast_fanout_bus_published_total", COUNTER,
  "Messages handed to NATS for the other gateways.")
X(FANOUT_BUS_UNPUBLISHED, "walcast_fanout_bus_unpublished_total", COUNTER,
  "Messages for the other gateways that were refused: NATS is away, or too many wait.")
X(FANOUT_BUS_RECEIVED, "walcast_fanout_bus_received_total", COUNTER,
  "Messages taken from the other gateways.")
X(FANOUT_BUS_DROPPED, "walcast_fanout_bus_dropped_total", COUNTER,
  "Messages from the other gateways that were dropped since too many waited.")
X(WS_CONNECTIONS, "walcast_ws_connections", GAUGE,
  "Open WebSocket connections and streams of server-sent events.")
X(WS_STREAMS, "walcast_ws_event_streams", GAUGE, "Open streams of server-sent events.")
X(WS_CHANNELS, "walcast_ws_channels", GAUGE, "Joined channels over all connections.")
X(WS_CHANNELS_SUSPENDED, "walcast_ws_channels_suspended", GAUGE,
  "Of them those whose token has expired and that wait for a new one.")
X(WS_JOINS, "walcast_ws_joins_total", COUNTER, "Joins accepted.")
X(WS_REFUSALS, "walcast_ws_refusals_total", COUNTER, "Handshakes and joins refused.")
X(WS_CREDENTIALS_ENDED, "walcast_ws_credentials_ended_total", COUNTER,
  "Channels and event streams closed since their token was revoked, or their API key ended.")
X(WS_MALFORMED_FRAMES, "walcast_ws_malformed_frames_total", COUNTER, "Frames that were not valid.")
X(WS_EVENTS, "walcast_ws_events_total", COUNTER, "Changes consumed from the stream.")
X(WS_GAPS, "walcast_ws_gaps_total", COUNTER,
  "Times that every channel was told to join again, since changes may have been missed.")
X(WS_BROADCASTS, "walcast_ws_broadcasts_total", COUNTER, "Broadcasts spread to their rooms.")
X(WS_BUS_LOST, "walcast_ws_bus_lost_total", COUNTER,
  "Messages to or from other gateways that were lost.")
X(WS_BUS_MALFORMED, "walcast_ws_bus_malformed_total", COUNTER,
  "Messages of other gateways that could not be read.")
X(WS_RESUMES, "walcast_ws_resumes_total", COUNTER, "Joins that named an offset to go on from.")
X(WS_SNAPSHOTS, "walcast_ws_snapshots_total", COUNTER,
  "Snapshots begun for joins that asked for the present rows first.")
X(WS_SNAPSHOT_ROWS, "walcast_ws_snapshot_rows_total", COUNTER, "Rows sent to their clients.")
X(WS_HISTORY_READS, "walcast_ws_history_reads_total", COUNTER,
  "Reads of the stream's history that the tail in memory did not hold.")
X(WS_FRAMES_ENCODED, "walcast_ws_frames_encoded_total", COUNTER, "Frames encoded, each once.")
X(WS_FRAMES_SENT, "walcast_ws_frames_sent_total", COUNTER, "Frames handed to sockets.")
X(WS_SENDS, "walcast_ws_sends_total", COUNTER, "Writes to sockets; each may carry many frames.")
X(WS_SLOW_CLOSED, "walcast_ws_slow_clients_closed_total", COUNTER,
  "Connections closed because they did not read within their byte cap.")
X(WS_CONFLATED, "walcast_ws_conflated_total", COUNTER,
  "Waiting changes of clients that do not keep up, replaced by newer ones of the same row.")
X(WS_HELD_BYTES, "walcast_ws_held_bytes", GAUGE,
  "Bytes of frames that wait for clients, shared ones once, and of messages not yet whole.")
X(WS_COMPRESSED_FRAMES, "walcast_ws_compressed_frames_total", COUNTER,
  "Frames compressed, each once.")
X(WS_THROTTLED, "walcast_ws_throttled_total", COUNTER,
  "Times that a client over its limits was not read for a moment.")
X(WS_MESSAGES_REFUSED, "walcast_ws_messages_refused_total", COUNTER,
  "Messages refused since too many came in a second.")
X(WS_JOINS_REFUSED, "walcast_ws_joins_refused_total", COUNTER,
  "Joins refused since too many came in a second.")
X(WS_CHANNELS_REFUSED, "walcast_ws_channels_refused_total", COUNTER,
  "Joins refused since the connection had all the channels it may have.")
X(WS_CONNECTIONS_REFUSED, "walcast_ws_connections_refused_total", COUNTER,
  "Handshakes and streams of events refused since ws.max_connections, or of their address "
  "limits.connections_per_address, were open.")
X(WS_FLOOD_CLOSED, "walcast_ws_flooding_clients_closed_total", COUNTER,
  "Connections closed since they stayed over their limits.")
X(WS_OVERSIZE_CLOSED, "walcast_ws_oversize_closed_total", COUNTER,
  "Connections closed since a message was longer than ws.max_frame_bytes.")
X(WS_DELIVERY_SECONDS, "walcast_ws_delivery_seconds", HISTOGRAM, "From commit to socket.")
X(WS_PRESENCE_MEMBERS, "walcast_ws_presence_members", GAUGE,
  "Presences that this gateway knows, the other gateways' included.")
X(WS_PRESENCE_NODES, "walcast_ws_presence_nodes", GAUGE, "Other gateways that are alive.")
X(WS_PRESENCE_BYTES, "walcast_ws_presence_bytes", GAUGE, "Memory that presences take.")
X(WS_PRESENCE_RESYNCS, "walcast_ws_presence_resyncs", GAUGE,
  "Times since the start that another gateway's whole state was asked for.")
X(WS_PRESENCE_REFUSED, "walcast_ws_presence_refused", GAUGE,
  "Other gateways' members and gateways left out since the start for want of room, and messages of "
  "theirs that were malformed.")
X(WS_HTTP_REQUESTS, "walcast_ws_http_requests_total", COUNTER, "HTTP requests answered.")
X(WS_TLS_HANDSHAKING, "walcast_ws_tls_handshaking", GAUGE, "TLS handshakes under way.")
X(WS_TLS_HANDSHAKES, "walcast_ws_tls_handshakes_total", COUNTER, "TLS handshakes done.")
X(WS_TLS_RESUMED, "walcast_ws_tls_resumed_total", COUNTER, "Of these, by a session ticket.")
X(WS_TLS_HANDSHAKES_FAILED, "walcast_ws_tls_handshakes_failed_total", COUNTER,
  "TLS handshakes that failed, were cut, or took too long.")
X(WS_TLS_EXPIRES, "walcast_ws_tls_certificate_expiry_timestamp_seconds", GAUGE,
  "When the certificate in use, or the first of its chain, expires, since 1970; 0: no TLS.")
X(WS_TLS_REFUSED, "walcast_ws_tls_certificates_refused_total", COUNTER,
  "Times that a changed certificate or key could not be used and the old one went on.")
X(PG_POOL_WAITING, "walcast_pg_pool_waiting", GAUGE, "Queries that wait for a connection.")
X(PG_POOL_JOBS, "walcast_pg_pool_jobs_total", COUNTER, "Queries that the pool has ended.")
X(PG_POOL_FAILURES, "walcast_pg_pool_failures_total", COUNTER, "Of these, failed or refused.")
X(PG_POOL_CONNECTIONS, "walcast_pg_pool_connections", GAUGE, "Open connections of the pool.")
X(AUTH_TOKENS_VERIFIED, "walcast_auth_tokens_verified_total", COUNTER,
  "Signatures that were checked with a key of auth.jwks_url, good or not.")
X(AUTH_TOKENS_CACHED, "walcast_auth_tokens_cached_total", COUNTER,
  "Signatures that were known to be good since the token came before.")
X(AUTH_JWKS_FETCHES, "walcast_auth_jwks_fetches_total", COUNTER,
  "Times that the keys of auth.jwks_url were asked for.")
X(AUTH_JWKS_FAILURES, "walcast_auth_jwks_failures_total", COUNTER,
  "Of these, those that brought none.")
X(AUTH_JWKS_KEYS, "walcast_auth_jwks_keys", GAUGE, "Keys of the last good answer that can be used.")
X(AUTH_JWKS_UNAVAILABLE, "walcast_auth_jwks_unavailable", GAUGE,
  "1 while they cannot be fetched; those of before count for auth.jwks_valid.")
X(AUTH_API_KEYS, "walcast_auth_api_keys", GAUGE,
  "API keys known here, those that have ended among them; 0 while they were never read.")
X(AUTH_REVOKED_TOKENS, "walcast_auth_revoked_tokens", GAUGE, "Tokens known to be revoked.")
X(AUTH_ROLES, "walcast_auth_roles", GAUGE, "Roles whose grants are kept up to date.")
X(AUTH_GRANT_LOOKS, "walcast_auth_grant_looks_total", COUNTER,
  "Times that the database was asked what a role may see.")
X(AUTH_GRANT_CHANGES, "walcast_auth_grant_changes_total", COUNTER,
  "Times that the answer differed from the one before.")
X(AUTH_DDL, "walcast_auth_ddl_total", COUNTER,
  "Transactions and statements of the stream that may have changed what roles may see.")
X(AUTH_DDL_VIEWS, "walcast_auth_ddl_views_total", COUNTER,
  "Times that the database was asked whether it shows them by now.")
X(AUTH_GRANTS_UNAVAILABLE, "walcast_auth_grants_unavailable", GAUGE,
  "1 while the database cannot be asked.")
X(AUTH_CHANNEL_CHECKS, "walcast_auth_channel_checks_total", COUNTER,
  "Private channels whose policies the database was asked for.")
X(AUTH_CHANNEL_CACHED, "walcast_auth_channel_cached_total", COUNTER,
  "Private channels that were decided without asking.")
X(AUDIT_RECORDS, "walcast_audit_records_total", COUNTER,
  "Audit records that their stream has taken.")
X(AUDIT_LOST, "walcast_audit_lost_total", COUNTER,
  "Audit records that were lost: too many waited, or the stream refused them.")
X(LIMITS_REFUSED, "walcast_limits_refused_total", COUNTER,
  "Requests, joins and messages refused since their project had no more in the window.")
X(LIMITS_ADDRESS_REFUSED, "walcast_limits_addresses_refused_total", COUNTER,
  "Requests and joins refused since too many credentials from their address were.")
X(LIMITS_PROJECTS, "walcast_limits_projects", GAUGE, "Projects whose limits are counted.")
X(LIMITS_NODES, "walcast_limits_nodes", GAUGE,
  "Nodes that share the limits, this one included; the last number known while NATS is away.")
X(LIMITS_SHARED, "walcast_limits_shared", GAUGE,
  "1 while what all nodes admit is counted together; 0: this node admits its part of each limit.")
X(SEARCH_INDEXES, "walcast_search_indexes", GAUGE, "Search indexes that answer here.")
X(SEARCH_BUILDING, "walcast_search_building", GAUGE, "Search indexes that are being built.")
X(SEARCH_BUILT, "walcast_search_built_total", COUNTER, "Search indexes that were built and put in.")
X(SEARCH_DOCUMENTS, "walcast_search_documents", GAUGE, "Documents that queries can find.")
X(SEARCH_BYTES, "walcast_search_bytes", GAUGE, "Size of the files of search indexes.")
X(SEARCH_MEMORY, "walcast_search_memory_bytes", GAUGE,
  "Memory of search indexes: terms, lengths and columns.")
X(SEARCH_APPLIED, "walcast_search_applied_total", COUNTER,
  "Documents written or removed, an index each.")
X(SEARCH_REFUSED, "walcast_search_refused_total", COUNTER,
  "Rows that could not become documents: too large, or of a key that is too long.")
X(SEARCH_UNDECIDED, "walcast_search_undecided_total", COUNTER,
  "Rows that an index's condition could not be decided for, which are then not found.")
X(SEARCH_COMMITS, "walcast_search_commits_total", COUNTER, "Groups of changes that were committed.")
X(SEARCH_LSN, "walcast_search_lsn", GAUGE,
  "Commit LSN of the last change that is in the indexes, in bytes.")
X(SEARCH_LAG, "walcast_search_lag_messages", GAUGE,
  "Messages of the change stream that have come and are not in the indexes.")
X(SEARCH_LAG_TIME, "walcast_search_lag_seconds", HISTOGRAM,
  "From a change's commit until it can be found.")
X(SEARCH_QUERY_TIME, "walcast_search_query_seconds", HISTOGRAM, "Time of a query.")
X(SEARCH_GAPS, "walcast_search_gaps_total", COUNTER,
  "Times that changes were gone before they were in an index, which is built again then.")
X(SEARCH_LOG_BYTES, "walcast_search_log_bytes", GAUGE,
  "Size of the search log, when it was looked at last.")
X(SEARCH_COMPACTED, "walcast_search_compacted_total", COUNTER,
  "Times that this process compacted the search log.")
X(SEARCH_UNCOMPACTED, "walcast_search_compaction_failures_total", COUNTER,
  "Times that this process began to compact the search log and could not end it.")
X(TRIGGERS_DELIVERED, "walcast_triggers_delivered_total", COUNTER,
  "Attempts that ended with the delivery.")
X(TRIGGERS_FAILED, "walcast_triggers_failed_total", COUNTER, "Attempts that failed.")
X(TRIGGERS_PARKED, "walcast_triggers_parked_total", COUNTER,
  "Deliveries put aside until their key's next attempt.")
X(TRIGGERS_DEAD, "walcast_triggers_dead_total", COUNTER, "Deliveries that became dead letters.")
X(TRIGGERS_DEAD_REMOVED, "walcast_triggers_dead_removed_total", COUNTER,
  "Dead letters that were removed since their project had more than its share "
  "(triggers.dlq_project_share).")
X(TRIGGERS_PARTITIONS, "walcast_triggers_partitions", GAUGE,
  "Of the 16 shares of all deliveries, those that this process makes.")
X(TRIGGERS_PARKED_TASKS, "walcast_triggers_parked_tasks", GAUGE,
  "Deliveries that wait in the stream of parked ones.")
X(TRIGGERS_HELD_TASKS, "walcast_triggers_held_tasks", GAUGE,
  "Of them, those put aside because their trigger is paused or slower than what comes.")
X(TRIGGERS_HELD_UP, "walcast_triggers_held_up", GAUGE,
  "1 while deliveries find no room to wait: a stream is full, or a trigger's share is used up.")
X(TRIGGERS_ATTEMPTS, "walcast_triggers_attempts", GAUGE, "Attempts under way.")
X(TRIGGERS_STARTING, "walcast_triggers_starting", GAUGE,
  "Triggers that begin in the past and are not live yet.")
X(TRIGGERS_GAPS, "walcast_triggers_gaps_total", COUNTER,
  "Times that changes or events were gone before they were matched.")
X(TRIGGERS_UNDECIDED, "walcast_triggers_undecided_total", COUNTER,
  "Changes that a trigger's condition could not be decided for, or that gave no body.")
X(TRIGGERS_JOBS_ACCEPTED, "walcast_triggers_jobs_accepted_total", COUNTER,
  "Jobs that were enqueued over HTTP.")
X(TRIGGERS_JOBS_CALLBACKS_TOLD, "walcast_triggers_jobs_callbacks_total", COUNTER,
  "Ends of jobs that were told to whoever asked for it.")
X(TRIGGERS_JOBS_CALLBACKS_FAILED, "walcast_triggers_jobs_callback_failures_total", COUNTER,
  "Attempts to tell the end of a job that failed.")
X(TRIGGERS_JOBS_MALFORMED, "walcast_triggers_jobs_malformed", GAUGE,
  "Messages among accepted jobs that were none, passed over by the partitions owned here.")
X(TRIGGERS_JOBS_REFUSED, "walcast_triggers_jobs_refused", GAUGE,
  "Jobs beyond their project's share (jobs.project_share), cancelled as they came to the "
  "partitions owned here.")
X(TRIGGERS_JOBS_WORDS_LOST, "walcast_triggers_jobs_words_lost_total", COUNTER,
  "Words of workers that found no room; workers say them again.")
X(TRIGGERS_JOBS_PARTITIONS, "walcast_triggers_jobs_partitions", GAUGE,
  "Partitions of jobs, of 16, that this process owns; the gauges below are of these.")
X(TRIGGERS_JOBS_SCHEDULED, "walcast_triggers_jobs_scheduled", GAUGE,
  "Jobs that wait for their time.")
X(TRIGGERS_JOBS_READY, "walcast_triggers_jobs_ready", GAUGE, "Jobs that wait for a worker.")
X(TRIGGERS_JOBS_RUNNING, "walcast_triggers_jobs_running", GAUGE, "Jobs that workers have.")
X(TRIGGERS_JOBS_DEAD, "walcast_triggers_jobs_dead", GAUGE, "Jobs that were given up.")
X(TRIGGERS_JOBS_BYTES, "walcast_triggers_jobs_bytes", GAUGE, "Memory that jobs take.")
X(TRIGGERS_JOBS_PULLS, "walcast_triggers_jobs_pulls", GAUGE, "Pulls of workers that wait.")
