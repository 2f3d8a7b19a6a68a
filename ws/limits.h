/* Every maximum of the room in one place: what the configuration sets, and what is fixed. */
#ifndef WALCAST_WS_LIMITS_H
#define WALCAST_WS_LIMITS_H

#include "ws/expiry.h"
#include "ws/rate.h"

/* ---- HTTP ---- */
#define WS_HTTP_HEAD_MAX        16384 /* request line and headers; more is answered 431 */
#define WS_HTTP_HEADERS_MAX     64    /* header lines; more are answered 431 */
#define WS_HTTP_BODY_MAX        ((size_t)1 << 20) /* more is answered 413, unless the route takes it */
#define WS_HTTP_RESPONSE_MAX    ((size_t)20 << 20) /* a search index's largest document is 16 MiB */
#define WS_HTTP_CONNECTIONS_MAX 1024  /* besides the WebSockets; further ones are answered 503 */
#define WS_HTTP_HEAD_MS         10000 /* from the first byte of a head to its last; then 408 */
#define WS_HTTP_BODY_MS         30000 /* the same for a body */
#define WS_HTTP_KEEP_ALIVE_MS   75000 /* silence between two requests; then closed */
#define WS_HTTP_WAITING_MAX     512   /* requests a thread whose answer is awaited; then 503 */
#define WS_RECHECKS_A_TURN      2000 /* connections and channels, when credentials may have ended */
#define WS_HTTP_ANSWER_MS       30000 /* how long an answer is awaited; then 504 */
#define WS_HTTP_PIPELINED_MAX                                                                      \
    16384 /* bytes kept behind a request whose answer is awaited; with                             \
             more the connection ends after that answer */
#define WS_HTTP_REPLY_BYTES                                                                        \
    ((size_t)64 << 20) /* of the requests that other rooms work on, a                              \
                          thread; then 503 */

#define WS_HTTP_LONG_BYTES                                                                         \
    ((size_t)64 << 20) /* of bodies beyond WS_HTTP_BODY_MAX that a thread reads; then 503 */

#define WS_FORWARDED_HOPS_MAX 32 /* of a forwarding header, from its end */

#define WS_SSE_EVENTS_MAX 8     /* operations that one stream names */
#define WS_STREAM_BEAT_MS 15000 /* silence of a stream of events; then a comment is sent */

/* ---- Connections ---- */
#define WS_LINGER_MS       5000 /* how long the peer has to take the last bytes and to close */
#define WS_ACCEPTS_A_WAKE  64
#define WS_ACCEPT_PAUSE_MS 250   /* after the system had no descriptor left */
#define WS_READ_BYTES      16384 /* taken from one socket at a time */
#define WS_SEND_BYTES      65536 /* given to one socket at a time */

/* ---- TLS ---- */
#define WS_TLS_UNSENT_MAX                                                                          \
    ((size_t)128 << 10) /* of records for one client that the socket does not take: one of data,   \
                           or a handshake's with its certificates; then the client is cut */
#define WS_TLS_LOOK_MS    2000     /* between two looks at the certificate's files */
#define WS_TLS_TICKETS_MS 86400000 /* how old keys of session tickets become */

#define WS_TOTAL_STEPS      64 /* of ws.queue_total_bytes, and how near to it a client's share */
#define WS_TOTAL_STEPS_NEAR 16 /* begins to shrink: at three quarters */

#define WS_CONFLATE_PART                                                                           \
    4 /* of what may wait for a client: over it newer frames of a row replace */

/* ---- Ending ---- */
#define WS_DRAIN_STEP_CLOSES 20   /* sockets that a drain may close at once without spreading */
#define WS_DRAIN_HINT_MS     1000 /* how long after its close a client should come again, and the */
#define WS_DRAIN_JITTER_MS   1000 /* time over which those of one batch are told to spread */

/* ---- Compression ---- */
#define WS_DEFLATE_MIN_BYTES 128 /* a shorter message would hardly become smaller */

/* ---- Realtime ---- */
#define WS_TOPIC_MAX         1024 /* bytes, the "realtime:" included */
#define WS_EVENT_MAX         255
#define WS_REF_MAX           64
#define WS_BINDINGS_MAX      100  /* postgres_changes bindings of one channel */
#define WS_NAME_MAX          255  /* a schema's, table's or column's name in a binding */
#define WS_SELECT_MAX        100  /* columns that one binding selects */
#define WS_JOIN_WAIT_MS      8000 /* for the stream to be live; the client gives up after 10 s */
#define WS_CONTROL_FRAME_MAX 125  /* RFC 6455 5.5 */

/* ---- Between the hub and the service threads ---- */
#define WS_POSITION_MS       5000 /* between two tellings of how far the stream was spread */
#define WS_HUB_MESSAGES      1024 /* messages of the stream waiting for the hub */
#define WS_HUB_MESSAGE_BYTES ((size_t)32 << 20) /* the same in bytes; then the consumer waits */
/* Kept for those who resume; in bytes: ws.tail_bytes. */
#define WS_TAIL_MESSAGES ((size_t)1 << 18)
#define WS_LANES         4     /* groups of clients that catch up side by side */
#define WS_LANE_NEAR     65536 /* so near, in sequences, a lane's beginning is shared */
#define WS_LANE_MESSAGES 64    /* of history, between two live messages */
/* Of history that waits to be sent by one thread; the lane is read on when it is below. So many
 * that a write still carries several frames, so few that live ones do not wait long. */
#define WS_LANE_SENDS       65536
#define WS_LANE_OPEN_MS     30000 /* for the first message of history to come */
#define WS_RESUME_GATHER_MS 500   /* between two reads of history from about the same place */
#define WS_RESUME_HERD      8     /* where the first of them had so many clients */
#define WS_RESUMES_WAITING  ((size_t)1 << 17) /* clients that wait for a lane; more are refused */
#define WS_READER_MESSAGES  512               /* of one reader of history, waiting for the hub */
#define WS_READER_BYTES     ((size_t)8 << 20) /* the same in bytes */
#define WS_REPLAYS_WAITING  ((size_t)4096) /* joins whose replay waits; more are refused theirs */
#define WS_REPLAY_MS        5000           /* for reading one */
/* of broadcasts that wait for the hub; more are refused */
#define WS_SAID_BYTES        ((size_t)64 << 20)
#define WS_COMMAND_RING      4096
#define WS_DELIVERY_RING     8192
#define WS_DELIVERIES_A_WAKE 512
#define WS_CHANGE_JSON_MAX   ((size_t)64 << 20)
#define WS_CHANGE_JSON_KEEP  ((size_t)1 << 20) /* of an encoding's memory, between changes */

/* ---- Snapshots of subscriptions ---- */
#define WS_SNAPSHOTS_BEGUN      1024                /* read, or being taken by their clients */
#define WS_SNAPSHOTS_WAITING    ((size_t)16384)     /* to be read; more are refused */
#define WS_SNAPSHOT_WAIT_MS     5000                /* for that; a join is awaited for 8 s */
#define WS_SNAPSHOT_DOUBT_MS    2500                /* for one whose place in the stream is sure */
#define WS_SNAPSHOT_FETCH_ROWS  1000                /* asked of the database at once */
#define WS_SNAPSHOT_FETCH_BYTES ((size_t)256 << 10) /* the same, about */
#define WS_SNAPSHOT_PIECE_BYTES ((size_t)64 << 10)  /* sent to a client at once */
#define WS_SNAPSHOT_PIECE_PART  8                   /* of ws.queue_bytes, at the most */
#define WS_SNAPSHOT_TOTAL_BYTES ((size_t)256 << 20) /* read, that clients have yet to take */

/* What the configuration sets. */
typedef struct {
    size_t max_connections;
    size_t max_channels;
    size_t max_frame_bytes;
    size_t max_broadcast_bytes;
    size_t max_presence_bytes;
    size_t queue_bytes;
    size_t queue_total_bytes;
    int64_t idle_timeout_ms;
    int64_t drain_spread_ms;
    ws_expiry_rule expiry; /* of channels whose token expires */
    bool compression;
    ws_rate messages;         /* of a connection */
    ws_rate channel_messages; /* of one channel of it */
    ws_rate project_messages; /* of all */
    ws_rate joins;            /* of a connection */
    ws_rate project_joins;    /* of all */
} ws_limits;

static inline ws_rate ws_limits_rate(const core_config *config, const char *key) {
    return ws_rate_make(core_config_integer(config, key));
}

/* A drain leaves the last clients half of drain.timeout to answer. */
static inline int64_t ws_limits_drain_spread_ms(const core_config *config) {
    int64_t spread_ms = core_config_integer(config, "ws.drain_spread");
    int64_t most_ms = core_config_integer(config, "drain.timeout") / 2;
    return spread_ms < most_ms ? spread_ms : most_ms;
}

static inline ws_limits ws_limits_make(const core_config *config) {
    return (ws_limits){
        .max_connections = (size_t)core_config_integer(config, "ws.max_connections"),
        .max_channels = (size_t)core_config_integer(config, "ws.max_channels_per_connection"),
        .max_frame_bytes = (size_t)core_config_integer(config, "ws.max_frame_bytes"),
        .max_presence_bytes = (size_t)core_config_integer(config, "presence.max_payload_bytes"),
        .max_broadcast_bytes = (size_t)core_config_integer(config, "ws.max_broadcast_bytes"),
        .queue_bytes = (size_t)core_config_integer(config, "ws.queue_bytes"),
        .queue_total_bytes = (size_t)core_config_integer(config, "ws.queue_total_bytes"),
        .idle_timeout_ms = core_config_integer(config, "ws.idle_timeout"),
        .drain_spread_ms = ws_limits_drain_spread_ms(config),
        .expiry = {.warning_ms = core_config_integer(config, "auth.expiry_warning"),
                   .grace_ms = core_config_integer(config, "auth.expiry_grace")},
        .compression = core_config_bool(config, "ws.compression"),
        .messages = ws_limits_rate(config, "ws.max_messages_per_second"),
        .channel_messages = ws_limits_rate(config, "ws.max_channel_messages_per_second"),
        .project_messages = ws_limits_rate(config, "ws.max_project_messages_per_second"),
        .joins = ws_limits_rate(config, "ws.max_joins_per_second"),
        .project_joins = ws_limits_rate(config, "ws.max_project_joins_per_second"),
    };
}

#endif
