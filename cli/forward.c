/* See forward.h. The client calls back on a thread of its own; whoever sends waits for that. */
#include "cli/forward.h"

#include "net/net.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SECRET_BYTES = 32, SECRET_TEXT_SIZE = 64, SIGNATURE_MAX = 256, HEADERS = 4 };

struct cli_forward {
    char *url;
    net_guard *guard;
    net_http *http;
    char secret[SECRET_TEXT_SIZE];
    net_signing_key key;
    core_buffer work;
    pthread_mutex_t mutex; /* guards the two below */
    pthread_cond_t ended;
    bool is_over;
    cli_forwarded forwarded;
};

static bool secret_make(cli_forward *forward, core_error *error) {
    uint8_t bytes[SECRET_BYTES];
    core_buffer text = core_buffer_over(forward->secret, sizeof forward->secret - 1);
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random bytes for a secret");
    core_buffer_text(&text, "whsec_");
    core_base64_encode(core_slice_make(bytes, sizeof bytes), &text);
    return net_signing_key_read(core_buffer_slice(&text), &forward->key, error);
}

static bool http_make(cli_forward *forward, core_error *error) {
    core_network everywhere[2];
    const net_guard_spec guard = {.allow = {.networks = everywhere, .count = 2}};
    if (!core_network_parse(core_slice_text("0.0.0.0/0"), &everywhere[0]) ||
        !core_network_parse(core_slice_text("::/0"), &everywhere[1]))
        return core_error_set(error, CORE_ERROR_INTERNAL, "no network");
    forward->guard = net_guard_new(&guard, error);
    if (forward->guard == NULL ||
        net_guard_url_check(forward->guard, NULL, forward->url, error) != NET_GUARD_PASS)
        return false;
    const net_http_spec http = {.guard = forward->guard};
    forward->http = net_http_new(&http, error);
    return forward->http != NULL;
}

cli_forward *cli_forward_new(const char *url, core_error *error) {
    cli_forward *forward = calloc(1, sizeof *forward);
    char *own = strdup(url);
    if (forward == NULL || own == NULL) {
        free(own);
        free(forward);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory to forward");
        return NULL;
    }
    core_buffer_init(&forward->work, 2 * TRIGGERS_BODY_MAX);
    (void)pthread_mutex_init(&forward->mutex, NULL);
    (void)pthread_cond_init(&forward->ended, NULL);
    forward->url = own;
    if (secret_make(forward, error) && http_make(forward, error))
        return forward;
    cli_forward_free(forward);
    return NULL;
}

void cli_forward_free(cli_forward *forward) {
    if (forward == NULL)
        return;
    net_http_free(forward->http);
    net_guard_free(forward->guard);
    net_signing_key_wipe(&forward->key);
    core_buffer_fini(&forward->work);
    (void)pthread_cond_destroy(&forward->ended);
    (void)pthread_mutex_destroy(&forward->mutex);
    free(forward->url);
    free(forward);
}

const char *cli_forward_secret(const cli_forward *forward) {
    return forward->secret;
}

/* On the client's thread. */
static void on_completed(net_http_request *request, const net_http_result *result) {
    cli_forward *forward = request->context;
    (void)pthread_mutex_lock(&forward->mutex);
    forward->forwarded.status = result->outcome == NET_HTTP_ANSWERED ? result->status : 0;
    forward->forwarded.took_ms = result->total_us > 0 ? result->total_us / CORE_US_PER_MS : 0;
    (void)snprintf(forward->forwarded.reason, sizeof forward->forwarded.reason, "%s",
                   result->reason);
    forward->is_over = true;
    (void)pthread_cond_signal(&forward->ended);
    (void)pthread_mutex_unlock(&forward->mutex);
}

static void await(cli_forward *forward) {
    (void)pthread_mutex_lock(&forward->mutex);
    while (!forward->is_over)
        (void)pthread_cond_wait(&forward->ended, &forward->mutex);
    (void)pthread_mutex_unlock(&forward->mutex);
}

void cli_forward_send(cli_forward *forward, const triggers_task *task, cli_forwarded *forwarded) {
    char id[TRIGGERS_WEBHOOK_ID_MAX], time[24], signature[SIGNATURE_MAX];
    core_buffer signed_text = core_buffer_over(signature, sizeof signature - 1);
    int64_t now_s = core_clock_wall_us(core_clock_system()) / CORE_US_PER_S;
    core_error error = {.text = ""};
    triggers_webhook_id(task, id);
    (void)snprintf(time, sizeof time, "%" PRId64, now_s);
    const net_http_header headers[HEADERS] = {{"content-type", "application/json"},
                                              {"webhook-id", id},
                                              {"webhook-timestamp", time},
                                              {"webhook-signature", signature}};
    net_http_request request = {.url = forward->url,
                                .headers = headers,
                                .header_count = HEADERS,
                                .body = task->body,
                                .completed = on_completed,
                                .context = forward};
    forward->is_over = false;
    if (net_signature_write(auth_mac, &forward->key, 1, core_slice_text(id), now_s, task->body,
                            &forward->work, &signed_text, &error)) {
        signature[signed_text.length] = '\0';
        if (net_http_send(forward->http, &request, &error)) {
            await(forward);
            *forwarded = forward->forwarded;
            return;
        }
    }
    *forwarded = (cli_forwarded){.status = 0};
    (void)snprintf(forwarded->reason, sizeof forwarded->reason, "%.255s", error.text);
}
