/* How much one client may say; see session_private.h, rate.h and docs/LIMITS.md.
 *
 * A client over its limits is first read more slowly; what it still sends too much is refused; one
 * that goes on is closed. A channel is never closed for it. What all clients together send too much
 * is refused, but closes nobody. Heartbeats, leaves and tokens count and are never refused. */
#include "ws/session_private.h"

#include "ws/tier.h"

#define RATE_TELL_MS 1000 /* one system message so often at most */

/* The buckets that a message is taken from. */
typedef struct {
    ws_rate_bucket *own[2];
    ws_rate own_rates[2];
    size_t own_count;
    ws_rate_bucket *all; /* NULL: none */
    ws_rate all_rate;
    bool join;
    bool refusable;
} rate_buckets;

static void buckets_own(rate_buckets *buckets, ws_rate_bucket *bucket, ws_rate rate) {
    assert(buckets->own_count < CORE_COUNT_OF(buckets->own));
    buckets->own[buckets->own_count] = bucket;
    buckets->own_rates[buckets->own_count++] = rate;
}

static rate_buckets rate_buckets_of(ws_session *session, const ws_message *message,
                                    ws_channel *channel) {
    ws_service *service = session_service(session);
    const ws_limits *limits = &service->limits;
    ws_project_rates *all = ws_shared_rates(service->shared, &session->identity->home);
    rate_buckets buckets = {.join = core_slice_is(message->event, "phx_join")};
    buckets_own(&buckets, &session->messages, limits->messages);
    if (buckets.join) {
        buckets_own(&buckets, &session->joins, limits->joins);
        buckets.all = &all->joins;
        buckets.all_rate = limits->project_joins;
        buckets.refusable = true;
    } else if (channel != NULL) {
        buckets_own(&buckets, &channel->messages, limits->channel_messages);
        buckets.all = &all->messages;
        buckets.all_rate = limits->project_messages;
        buckets.refusable = !core_slice_is(message->event, "phx_leave") &&
                            !core_slice_is(message->event, "access_token");
    }
    return buckets;
}

static int64_t buckets_own_wait(const rate_buckets *buckets, int64_t now_ns) {
    int64_t wait_ns = 0;
    for (size_t i = 0; i < buckets->own_count; i++) {
        int64_t one_ns = ws_rate_wait_ns(buckets->own[i], buckets->own_rates[i], now_ns);
        wait_ns = one_ns > wait_ns ? one_ns : wait_ns;
    }
    return wait_ns;
}

static void buckets_take(const rate_buckets *buckets, int64_t now_ns) {
    for (size_t i = 0; i < buckets->own_count; i++)
        ws_rate_take(buckets->own[i], buckets->own_rates[i], now_ns);
    if (buckets->all != NULL)
        ws_rate_take(buckets->all, buckets->all_rate, now_ns);
}

static void rate_tell(ws_session *session, const ws_message *message, ws_channel *channel,
                      const char *text) {
    ws_service *service = session_service(session);
    session_refuse(session, message, text);
    bool told = session->told_ms != 0 && service->now_ms - session->told_ms < RATE_TELL_MS;
    if (told || channel == NULL || !session_open(session))
        return;
    session->told_ms = service->now_ms;
    session_system(session, channel, "system", false, text);
}

static void rate_refuse(ws_session *session, const ws_message *message, ws_channel *channel,
                        bool join) {
    core_metrics *metrics = session_service(session)->metrics;
    core_metrics_add(metrics, join ? CORE_METRIC_WS_JOINS_REFUSED : CORE_METRIC_WS_MESSAGES_REFUSED,
                     1);
    if (!join) {
        rate_tell(session, message, channel, "Too many messages per second");
        return;
    }
    static const char reason[] = "ClientJoinRateLimitReached: Too many joins per second";
    session_join_record(session, NULL, session_now_ns(session), reason);
    session_refuse(session, message, reason);
}

bool session_admits(ws_session *session, const ws_message *message, ws_channel *channel) {
    ws_service *service = session_service(session);
    int64_t now_ms = service->now_ms;
    int64_t now_ns = now_ms * CORE_NS_PER_MS;
    rate_buckets buckets = rate_buckets_of(session, message, channel);
    int64_t own_ns = buckets_own_wait(&buckets, now_ns);
    int64_t all_ns =
        buckets.all != NULL ? ws_rate_wait_ns(buckets.all, buckets.all_rate, now_ns) : 0;
    ws_patience_verdict own = ws_patience_judge(&session->own, own_ns, now_ms);
    ws_patience_verdict all = ws_patience_judge(&session->others, all_ns, now_ms);
    if (own == WS_PATIENCE_CLOSE) {
        core_metrics_add(service->metrics, CORE_METRIC_WS_FLOOD_CLOSED, 1);
        ws_socket_close(session->socket, WS_CLOSE_POLICY,
                        "too many messages per second, for too long; retry after 5000 ms");
        return false;
    }
    bool refused = own == WS_PATIENCE_REFUSE || all >= WS_PATIENCE_REFUSE;
    if (refused && buckets.refusable) {
        rate_refuse(session, message, channel, buckets.join);
        return false;
    }
    buckets_take(&buckets, now_ns);
    int64_t wait_ns = own_ns > all_ns ? own_ns : all_ns;
    int64_t wait_ms = (wait_ns + CORE_NS_PER_MS - 1) / CORE_NS_PER_MS;
    if (wait_ms > WS_PATIENCE_THROTTLE_MS)
        wait_ms = WS_PATIENCE_THROTTLE_MS;
    if (wait_ms > 0)
        ws_connection_pause(ws_socket_connection(session->socket), now_ms + wait_ms);
    return true;
}

bool session_within_tier(ws_session *session, const ws_message *message, ws_channel *channel) {
    char text[WS_TIER_TEXT_SIZE];
    int64_t wait_ms;
    ws_service *service = session_service(session);
    if (ws_tier_takes(service, channel->identity, AUTH_LIMIT_WRITE, 1, &wait_ms, text))
        return true;
    core_metrics_add(service->metrics, CORE_METRIC_WS_MESSAGES_REFUSED, 1);
    rate_tell(session, message, channel, text);
    return false;
}

bool session_trusts_address(const ws_session *session, char *text) {
    int64_t wait_ms;
    const ws_connection *connection = ws_socket_connection(session->socket);
    return ws_tier_trusts(connection->service, &connection->client, &wait_ms, text);
}
