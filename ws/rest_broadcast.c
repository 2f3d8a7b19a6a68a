/* See rest_broadcast.h.
 *
 * A job is a request with what is asked about it. It is freed by the call that made it, or, once
 * questions are on their way, by the post behind the last answer: whatever becomes of the client
 * and the gateway, that comes, since the gateway's pool answers all before it is freed. */
#include "ws/rest_broadcast.h"

#include "ws/gateway.h"
#include "ws/http_key.h"
#include "ws/post.h"
#include "ws/recheck.h"
#include "ws/rest_answer.h"
#include "ws/server.h"
#include "ws/session_table.h"
#include "ws/tier.h"
#include "ws/uuid.h"

#include <stdio.h>
#include <stdlib.h>

#define REST_MAGIC   0x9e570b00u
#define REST_PATH    "/realtime/v1/api/broadcast"
#define REST_WAIT_MS 8000 /* for the policies; clients give up after 10 s */

typedef struct {
    uint32_t magic;
    ws_rest_request said;
    ws_rest_rights rights;
    ws_post post;
    ws_service *service;
    ws_identity *identity; /* who asks; its home's hub is asked */
    ws_http_handle handle; /* of the request, once it waits */
    size_t bytes;          /* counted with the service while questions are under way */
    bool over;             /* it was answered, or nobody waits any more */
} rest_job;

/* ---- Life ---- */

static rest_job *job_new(ws_service *service, ws_identity *identity) {
    rest_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->magic = REST_MAGIC;
    job->service = service;
    job->identity = ws_identity_retain(identity);
    return job;
}

static void job_free(rest_job *job) {
    CORE_MAGIC_CHECK(job, REST_MAGIC);
    ws_identity_release(job->identity);
    ws_rest_rights_fini(&job->rights);
    ws_rest_request_fini(&job->said);
    job->magic = 0;
    free(job);
}

/* ---- Saying it ---- */

/* Receivers of a private channel know a message again by its id. */
static bool job_send(rest_job *job, ws_broadcast *broadcast) {
    if (broadcast->private_channel)
        ws_uuid_make(broadcast->id);
    broadcast->home = job->identity->home;
    return ws_session_table_broadcast(job->service, broadcast);
}

static bool job_allows(const rest_job *job, const ws_broadcast *broadcast) {
    const ws_rest_topic *topic = ws_rest_rights_of(&job->rights, broadcast);
    return topic == NULL || topic->allowed;
}

/* NULL: all could be asked. */
static const ws_rest_topic *job_unasked(const rest_job *job) {
    for (size_t i = 0; i < job->rights.count; i++)
        if (job->rights.topics[i].unavailable)
            return &job->rights.topics[i];
    return NULL;
}

static void job_send_all(rest_job *job, const ws_rest_client *client) {
    size_t sent = 0;
    char problem[96];
    for (size_t i = 0; i < job->said.count; i++) {
        if (!job_allows(job, job->said.messages[i]))
            continue;
        if (!job_send(job, job->said.messages[i])) {
            (void)snprintf(problem, sizeof problem, "out of memory behind %zu of %zu messages",
                           sent, job->said.count);
            ws_rest_refuse(client, 503, 0, problem);
            return;
        }
        sent++;
    }
    ws_rest_tell(client, &job->rights, sent);
}

/* All is decided. */
static void job_end(rest_job *job, const ws_rest_client *client) {
    const ws_rest_topic *unasked = job_unasked(job);
    if (ws_server_gateway(job->service->server, job->identity->home.source) == NULL) {
        ws_rest_refuse(client, 503, 1, "the gateway is not running");
    } else if (unasked != NULL) {
        ws_rest_refuse(client, 503, 1, unasked->reason);
    } else if (ws_session_table_room(job->service, job->identity->home.source) < job->said.count) {
        core_metrics_add(job->service->metrics, CORE_METRIC_WS_MESSAGES_REFUSED,
                         (int64_t)job->said.count);
        ws_rest_refuse(client, 429, 1, "too many messages wait to be sent");
    } else {
        job_send_all(job, client);
    }
}

/* ---- Waiting for the policies ---- */

/* Back on the service's thread: the last answer is there. */
static void job_run(ws_post *post, ws_service *service) {
    rest_job *job = (rest_job *)(void *)((char *)post - offsetof(rest_job, post));
    CORE_MAGIC_CHECK(job, REST_MAGIC);
    service->replies--;
    service->reply_bytes -= job->bytes;
    if (!job->over) {
        const ws_rest_client client = {.service = service, .handle = job->handle};
        const char *why = ws_recheck_why(service, job->identity);
        if (why != NULL)
            ws_rest_refuse(&client, 401, 0, why);
        else
            job_end(job, &client);
    }
    job_free(job);
}

/* Any thread. */
static void job_decided(ws_rest_rights *rights) {
    rest_job *job = (rest_job *)(void *)((char *)rights - offsetof(rest_job, rights));
    CORE_MAGIC_CHECK(job, REST_MAGIC);
    ws_post_send(job->service, &job->post);
}

static rest_job *job_of(void *context) {
    rest_job *job = context;
    CORE_MAGIC_CHECK(job, REST_MAGIC);
    return job;
}

static void job_gone(void *context) {
    job_of(context)->over = true;
}

static void job_late(void *context) {
    rest_job *job = job_of(context);
    const ws_rest_client client = {.service = job->service, .handle = job->handle};
    job->over = true;
    ws_rest_refuse(&client, 503, 1, "the database does not answer who may write; try again later");
}

/* Takes the job over. */
static void job_ask(ws_http_request *request, rest_job *job, const ws_gateway *gateway) {
    const ws_rest_client client = {.request = request, .service = job->service};
    job->rights.decided = job_decided;
    job->post.run = job_run;
    job->bytes = request->body.length;
    job->service->replies++;
    job->service->reply_bytes += job->bytes;
    if (ws_rest_rights_ask(&job->rights, ws_gateway_access(gateway), job->identity)) {
        job->service->replies--;
        job->service->reply_bytes -= job->bytes;
        job_end(job, &client);
        job_free(job);
        return;
    }
    const ws_http_waiter waiter = {
        .wait_ms = REST_WAIT_MS, .late = job_late, .gone = job_gone, .context = job};
    job->handle = ws_http_defer(request, &waiter);
    job->over = job->handle == 0;
}

/* ---- The request ---- */

/* A token of the project's bucket a message. False: it was refused. */
static bool job_within_rate(const rest_job *job, const ws_rest_client *client) {
    ws_service *service = job->service;
    int64_t count = (int64_t)job->said.count;
    int64_t now_ns = service->now_ms * CORE_NS_PER_MS, burst_ns = 1000 * CORE_NS_PER_MS;
    const ws_rate each = service->limits.project_messages;
    const ws_rate all = {.interval_ns = each.interval_ns * count};
    ws_rate_bucket *bucket = &ws_shared_rates(service->shared, &job->identity->home)->messages;
    int64_t wait_ns = ws_rate_wait_ns(bucket, all, now_ns);
    if (wait_ns == 0) {
        ws_rate_take(bucket, all, now_ns);
        return true;
    }
    core_metrics_add(service->metrics, CORE_METRIC_WS_MESSAGES_REFUSED, count);
    ws_rest_refuse(client, 429, (wait_ns + burst_ns - 1) / burst_ns,
                   all.interval_ns > burst_ns
                       ? "Too many messages to broadcast, please reduce the batch size"
                       : "Too many messages per second");
    return false;
}

/* Each message is a write of its project. */
static bool job_admits(const rest_job *job, const ws_rest_client *client) {
    char text[WS_TIER_TEXT_SIZE];
    int64_t wait_ms;
    if (!job_within_rate(job, client))
        return false;
    if (ws_tier_takes(job->service, job->identity, AUTH_LIMIT_WRITE, (uint32_t)job->said.count,
                      &wait_ms, text))
        return true;
    ws_rest_refuse(client, 429, wait_ms > 0 ? ws_tier_retry_s(wait_ms) : 0, text);
    return false;
}

/* What the request says is in the job, which is taken over. */
static void job_begin(ws_http_request *request, rest_job *job, const ws_gateway *gateway) {
    ws_service *service = job->service;
    const ws_rest_client client = {.request = request, .service = service};
    bool room = true;
    bool made = ws_rest_rights_init(&job->rights, &job->said, &room);
    bool busy = job->rights.count > 0 &&
                (service->replies >= WS_HTTP_WAITING_MAX ||
                 service->reply_bytes + request->body.length > WS_HTTP_REPLY_BYTES);
    if (!made)
        ws_rest_refuse(&client, 500, 0, "out of memory");
    else if (!room)
        ws_rest_refuse(&client, 422, 0, "messages names more than 100 private topics");
    else if (busy)
        ws_rest_refuse(&client, 503, 1, "too much work is under way");
    else if (job_admits(job, &client)) {
        job_ask(request, job, gateway);
        return;
    }
    job_free(job);
}

static unsigned job_read(rest_job *job, const ws_http_request *request, core_slice rest) {
    const ws_http_head *head = request->head;
    size_t payload_max = job->service->limits.max_broadcast_bytes;
    if (rest.data == NULL)
        return ws_rest_request_batch(&job->said, request->body, payload_max);
    return ws_rest_request_single(&job->said, rest, head->query,
                                  ws_http_header_value(head, "content-type"), request->body,
                                  payload_max, core_clock_wall_us(job->service->clock));
}

static void rest_say(ws_http_request *request, core_slice rest, const ws_gateway *gateway,
                     ws_identity *identity) {
    ws_service *service = request->connection->service;
    const ws_rest_client client = {.request = request, .service = service};
    rest_job *job = job_new(service, identity);
    if (job == NULL) {
        ws_rest_refuse(&client, 500, 0, "out of memory");
        return;
    }
    unsigned refused = job_read(job, request, rest);
    if (refused == 0) {
        job_begin(request, job, gateway);
        return;
    }
    ws_rest_refuse_request(&client, refused, &job->said);
    job_free(job);
}

static void rest_identify(ws_http_request *request, core_slice rest) {
    ws_service *service = request->connection->service;
    const ws_rest_client client = {.request = request, .service = service};
    auth_verdict verdict;
    ws_identity *identity = ws_http_key_identify(request, WS_BEARER_FIRST, &verdict);
    const char *lacks = identity != NULL ? ws_identity_lacks(identity, CORE_SCOPE_BROADCAST) : NULL;
    const ws_gateway *gateway =
        identity != NULL ? ws_server_gateway(service->server, identity->home.source) : NULL;
    if (lacks != NULL)
        ws_rest_refuse(&client, 403, 0, lacks);
    else if (gateway != NULL)
        rest_say(request, rest, gateway, identity);
    else if (identity != NULL)
        ws_rest_refuse(&client, 503, 1, "the gateway is not running");
    else if (verdict == AUTH_OK)
        ws_rest_refuse(&client, 500, 0, "out of memory");
    else
        ws_rest_refuse(&client, ws_http_key_status(verdict), verdict == AUTH_UNAVAILABLE ? 1 : 0,
                       auth_verdict_text(verdict));
    ws_identity_release(identity);
}

bool ws_rest_broadcast_serve(ws_http_request *request) {
    static const size_t length = sizeof REST_PATH - 1;
    core_slice path = request->head->path, rest = core_slice_make(NULL, 0);
    if (path.length < length || memcmp(path.data, REST_PATH, length) != 0)
        return false;
    if (path.length > length) {
        if (path.data[length] != '/')
            return false;
        rest = core_slice_make(path.data + length + 1, path.length - length - 1);
    }
    request->record.route = rest.data == NULL ? REST_PATH : REST_PATH "/:topic/events/:event";
    if (core_slice_is(request->head->method, "POST"))
        rest_identify(request, rest);
    else
        ws_http_refuse(request, 405, "Allow: POST\r\n", "broadcasts are sent with POST");
    return true;
}
