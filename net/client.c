/* The client that waits, over libcurl's multi interface; see client.h.
 *
 * Happy path: options from the request, one transfer run to its end in our own loop, body and
 * Cache-Control taken as they come. Failure modes: every limit is libcurl's own or counted in the
 * callbacks; a stop wakes the loop. Errors name the URL without user, password and query, which may
 * be secrets. */
#include "net/client.h"

#include "net/gate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CLIENT_MAGIC UINT32_C(0x6e657463)

enum {
    HEADERS_MAX_BYTES = 64 << 10, /* of one question, redirects included */
    CONNECTIONS_MAX = 4,          /* kept open between questions */
    LOOK_MS = 1000,
    SHOWN_URL_MAX = 512,
};

struct net_client {
    uint32_t magic;
    CURLM *multi;
    CURL *easy;
    bool library;
    atomic_bool stopped;
    net_gate gate;
    /* Of the question that is asked now. */
    net_response *response;
    size_t header_bytes;
    bool too_long; /* its body, or its headers */
    char message[CURL_ERROR_SIZE];
};

/* ---- What comes ---- */

static size_t body_take(char *data, size_t size, size_t count, void *context) {
    net_client *client = context;
    CORE_MAGIC_CHECK(client, CLIENT_MAGIC);
    core_buffer *body = &client->response->body;
    core_buffer_append(body, data, size * count);
    client->too_long = !core_buffer_ok(body);
    return client->too_long ? 0 : size * count;
}

static int64_t max_age_read(core_slice value) {
    static const char name[] = "max-age=";
    for (size_t at = 0; at + sizeof name - 1 <= value.length; at++) {
        core_slice rest = core_slice_make(value.data + at, value.length - at);
        if (strncasecmp((const char *)rest.data, name, sizeof name - 1) != 0)
            continue;
        size_t digits = 0;
        const uint8_t *first = rest.data + sizeof name - 1;
        while (digits < rest.length - (sizeof name - 1) && first[digits] >= '0' &&
               first[digits] <= '9')
            digits++;
        int64_t age_s;
        return core_slice_to_i64(core_slice_make(first, digits), &age_s) ? age_s : -1;
    }
    return -1;
}

static size_t header_take(char *data, size_t size, size_t count, void *context) {
    static const char name[] = "cache-control:";
    net_client *client = context;
    CORE_MAGIC_CHECK(client, CLIENT_MAGIC);
    size_t length = size * count;
    client->header_bytes += length;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) /* a redirect's headers do not count */
        client->response->max_age_s = -1;
    if (length >= sizeof name - 1 && strncasecmp(data, name, sizeof name - 1) == 0)
        client->response->max_age_s = max_age_read(core_slice_make(data, length));
    client->too_long = client->header_bytes > HEADERS_MAX_BYTES;
    return client->too_long ? 0 : length;
}

/* ---- What is asked ---- */

static bool options_set(net_client *client, const net_request *request, struct curl_slist *list) {
    CURL *easy = client->easy;
    const char *hops = strncasecmp(request->url, "https:", 6) == 0 ? "https" : "http,https";
    CURLcode code = CURLE_OK;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_REDIR_PROTOCOLS_STR, hops);
    SET(CURLOPT_FOLLOWLOCATION, request->max_redirects > 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)request->max_redirects);
    SET(CURLOPT_HTTPHEADER, list);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_bytes);
    SET(CURLOPT_ERRORBUFFER, client->message);
    SET(CURLOPT_WRITEFUNCTION, body_take);
    SET(CURLOPT_WRITEDATA, client);
    SET(CURLOPT_HEADERFUNCTION, header_take);
    SET(CURLOPT_HEADERDATA, client);
#undef SET
    return code == CURLE_OK && net_gate_options_set(easy, &client->gate, request->ca_file);
}

/* ---- What becomes of it ---- */

static core_error_code error_code_of(const net_client *client, CURLcode code) {
    if (client->too_long)
        return CORE_ERROR_LIMIT;
    if (net_gate_closed(&client->gate))
        return CORE_ERROR_DENIED;
    switch (code) {
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_TOO_MANY_REDIRECTS:
        return CORE_ERROR_LIMIT;
    case CURLE_PEER_FAILED_VERIFICATION:
        return CORE_ERROR_DENIED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CACERT_BADFILE:
        return CORE_ERROR_CONFIG;
    case CURLE_OUT_OF_MEMORY:
        return CORE_ERROR_INTERNAL;
    default:
        return CORE_ERROR_TRANSIENT;
    }
}

/* Scheme, host and path: nothing that may be a secret. A password may hold an @, whatever becomes
 * of such a URL. */
static void url_show(const char *url, char text[SHOWN_URL_MAX]) {
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t length = strcspn(host, "?#");
    const char *at = memrchr(host, '@', strcspn(host, "/?#"));
    const char *shown = at != NULL ? at + 1 : host;
    (void)snprintf(text, SHOWN_URL_MAX, "%.*s%.*s", (int)(host - url), url,
                   (int)(length - (size_t)(shown - host)), shown);
}

static bool failure_tell(const net_client *client, const net_request *request, CURLcode code,
                         core_error *error) {
    char url[SHOWN_URL_MAX];
    url_show(request->url, url);
    core_error_code kind = error_code_of(client, code);
    if (atomic_load(&client->stopped))
        return core_error_set(error, CORE_ERROR_TRANSIENT, "GET %s: stopped", url);
    if (client->too_long || code == CURLE_FILESIZE_EXCEEDED)
        return core_error_set(error, kind,
                              "GET %s: the answer is larger than %zu bytes (headers: %d)", url,
                              request->max_bytes, HEADERS_MAX_BYTES);
    if (net_gate_closed(&client->gate))
        return core_error_set(error, kind, "GET %s: %s", url, client->gate.error.text);
    return core_error_set(error, kind, "GET %s: %s", url,
                          client->message[0] != '\0' ? client->message : curl_easy_strerror(code));
}

/* The result of the one transfer that is under way, once it has ended. */
static CURLcode transfer_result(const net_client *client) {
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            return message->data.result;
    return CURLE_ABORTED_BY_CALLBACK;
}

static CURLcode transfer_run(net_client *client) {
    int running = 1;
    if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (running > 0 && !atomic_load(&client->stopped))
        if (curl_multi_perform(client->multi, &running) != CURLM_OK ||
            (running > 0 && curl_multi_poll(client->multi, NULL, 0, LOOK_MS, NULL) != CURLM_OK))
            break;
    CURLcode code = transfer_result(client);
    (void)curl_multi_remove_handle(client->multi, client->easy);
    return code;
}

bool net_client_get(net_client *client, const net_request *request, net_response *response,
                    core_error *error) {
    CORE_MAGIC_CHECK(client, CLIENT_MAGIC);
    char accept[256];
    *response = (net_response){.max_age_s = -1};
    core_buffer_init(&response->body, request->max_bytes);
    (void)snprintf(accept, sizeof accept, "Accept: %s",
                   request->accept != NULL ? request->accept : "*/*");
    struct curl_slist *list = curl_slist_append(NULL, accept);
    client->response = response;
    client->header_bytes = 0;
    client->too_long = false;
    client->message[0] = '\0';
    net_gate_reset(&client->gate, NULL);
    curl_easy_reset(client->easy); /* connections stay */
    CURLcode code = list != NULL && options_set(client, request, list) ? transfer_run(client)
                                                                       : CURLE_OUT_OF_MEMORY;
    long status = 0;
    (void)curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = (unsigned)status;
    client->response = NULL;
    curl_slist_free_all(list);
    return code == CURLE_OK || failure_tell(client, request, code, error);
}

void net_response_fini(net_response *response) {
    core_buffer_fini(&response->body);
}

/* ---- Life ---- */

net_client *net_client_new(core_error *error) {
    net_client *client = calloc(1, sizeof *client);
    if (client != NULL) {
        client->magic = CLIENT_MAGIC;
        net_gate_init(&client->gate, NULL); /* the URL is an operator's */
        client->library = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; /* counted */
        client->multi = client->library ? curl_multi_init() : NULL;
        client->easy = client->library ? curl_easy_init() : NULL;
    }
    if (client != NULL && client->multi != NULL && client->easy != NULL &&
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX) == CURLM_OK)
        return client;
    net_client_free(client);
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for an HTTP client");
    return NULL;
}

void net_client_free(net_client *client) {
    if (client == NULL)
        return;
    CORE_MAGIC_CHECK(client, CLIENT_MAGIC);
    curl_easy_cleanup(client->easy);
    (void)curl_multi_cleanup(client->multi);
    if (client->library)
        curl_global_cleanup();
    client->magic = 0;
    free(client);
}

void net_client_stop(net_client *client) {
    CORE_MAGIC_CHECK(client, CLIENT_MAGIC);
    atomic_store(&client->stopped, true);
    (void)curl_multi_wakeup(client->multi);
}
