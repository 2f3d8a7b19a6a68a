/* See http_call.h. Happy path: URL, body and headers are set on a kept handle, the answer's first
 * bytes are copied. Failure modes: what a request may not hold is refused before libcurl sees it;
 * what the other side sends is counted as it comes and ends at its maximum. */
#include "net/http_call.h"

#include "net/retry_after.h"
#include "net/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CALL_MAGIC UINT32_C(0x6e657468)

enum {
    PASSED_MAX_BYTES = 64 << 10, /* read and forgotten, so that the connection can be kept */
    BUFFER_BYTES = 8 << 10,
};

static net_http_call *call_of(void *context) {
    net_http_call *call = context;
    CORE_MAGIC_CHECK(call, CALL_MAGIC);
    return call;
}

/* ---- What comes ---- */

static size_t body_take(char *data, size_t size, size_t count, void *context) {
    net_http_call *call = call_of(context);
    size_t length = size * count;
    size_t room = call->body.max_bytes - call->body.length;
    size_t kept = length < room ? length : room;
    core_buffer_append(&call->body, data, kept);
    call->passed_bytes += length - kept;
    call->body_is_cut = call->passed_bytes > 0;
    call->dropped = call->passed_bytes > PASSED_MAX_BYTES;
    return call->dropped || !core_buffer_ok(&call->body) ? CURL_WRITEFUNC_ERROR : length;
}

static size_t header_take(char *data, size_t size, size_t count, void *context) {
    net_http_call *call = call_of(context);
    call->header_bytes += size * count;
    call->head_ended = data[0] == '\r' || data[0] == '\n'; /* a hint's may be followed by another */
    call->headers_too_large = call->header_bytes > NET_HTTP_HEADERS_MAX_BYTES;
    return call->headers_too_large ? 0 : size * count;
}

/* ---- What goes ---- */

/* Connected, or connected since long, and about to write: a process that slept wakes up here too.
 */
static bool may_begin(void *context) {
    const net_http_call *call = call_of(context);
    const net_http_request *request = call->request;
    return request->may_begin == NULL || request->may_begin(request);
}

/* ---- The handle ---- */

void net_http_call_init(net_http_call *call) {
    *call = (net_http_call){.magic = CALL_MAGIC};
    core_buffer_init(&call->lines, NET_HTTP_HEADERS_MAX_BYTES);
}

void net_http_call_fini(net_http_call *call) {
    CORE_MAGIC_CHECK(call, CALL_MAGIC);
    curl_easy_cleanup(call->easy);
    core_buffer_fini(&call->lines);
    core_buffer_fini(&call->body);
    call->magic = 0;
}

/* What is the same for every request. */
static bool handle_make(net_http_call *call, const net_guard *guard, const char *ca_file) {
    CURLcode code = CURLE_OK;
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return false;
    net_gate_init(&call->gate, guard);
    call->gate.may_go = may_begin;
    call->gate.may_go_context = call;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_PROXY, ""); /* a proxy would connect where no guard looks */
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_ERRORBUFFER, call->message);
    SET(CURLOPT_WRITEFUNCTION, body_take);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, header_take);
    SET(CURLOPT_HEADERDATA, call);
#undef SET
    if (code == CURLE_OK && net_gate_options_set(easy, &call->gate, ca_file)) {
        call->easy = easy;
        return true;
    }
    curl_easy_cleanup(easy);
    return false;
}

/* ---- The request's headers ---- */

/* RFC 9110's token. */
static bool is_token(const char *text) {
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (const char *at = text; *at != '\0'; at++)
        if (!((*at >= '0' && *at <= '9') || ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z') ||
              strchr(marks, *at) != NULL))
            return false;
    return *text != '\0';
}

static bool is_field_value(const char *text) {
    for (const char *at = text; *at != '\0'; at++)
        if (((uint8_t)*at < ' ' && *at != '\t') || *at == 0x7f)
            return false;
    return true;
}

/* What says where a message ends or to whom it goes is the client's own. */
static bool is_own_header(const char *name) {
    static const char *const names[] = {"connection",     "content-length",   "expect", "host",
                                        "http2-settings", "keep-alive",       "te",     "trailer",
                                        "upgrade",        "transfer-encoding"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return strncasecmp(name, "proxy-", 6) == 0;
}

static const char *header_fault(const net_http_header *header) {
    if (!is_token(header->name) || !is_field_value(header->value))
        return "a header's name or value holds what HTTP does not allow there";
    if (is_own_header(header->name))
        return "a header that only the HTTP client itself may set";
    return NULL;
}

/* An empty value is written "name;" for libcurl; "name:" alone would take the header out. */
static void line_add(core_buffer *lines, const char *name, const char *value) {
    core_buffer_text(lines, name);
    core_buffer_text(lines, *value != '\0' ? ": " : ";");
    core_buffer_append(lines, value, strlen(value) + 1);
}

static struct curl_slist *list_link(net_http_call *call, size_t count) {
    char *at = (char *)call->lines.data;
    for (size_t i = 0; i < count; i++) {
        call->nodes[i] =
            (struct curl_slist){.data = at, .next = i + 1 < count ? &call->nodes[i + 1] : NULL};
        at += strlen(at) + 1;
    }
    return count > 0 ? call->nodes : NULL;
}

/* NULL: good. */
static const char *headers_take(net_http_call *call, const net_http_request *request,
                                struct curl_slist **list) {
    size_t count = request->header_count;
    bool is_typed = false;
    if (count > NET_HTTP_HEADERS_MAX)
        return "too many headers";
    core_buffer_reset(&call->lines);
    for (size_t i = 0; i < count; i++) {
        const char *fault = header_fault(&request->headers[i]);
        if (fault != NULL)
            return fault;
        is_typed = is_typed || strcasecmp(request->headers[i].name, "content-type") == 0;
        line_add(&call->lines, request->headers[i].name, request->headers[i].value);
    }
    core_buffer_append(&call->lines, "Expect:", sizeof "Expect:"); /* never wait for a 100 */
    count++;
    if (!is_typed) { /* libcurl's is a form's */
        core_buffer_append(&call->lines, "Content-Type:", sizeof "Content-Type:");
        count++;
    }
    if (!core_buffer_ok(&call->lines))
        return "the headers are too large";
    *list = list_link(call, count);
    return NULL;
}

/* ---- The request ---- */

static bool request_set(net_http_call *call, const net_http_request *request,
                        struct curl_slist *list) {
    CURL *easy = call->easy;
    const char *method = request->method != NULL ? request->method : "POST";
    bool is_tls = strncasecmp(request->url, "https:", 6) == 0;
    bool has_body = request->body.length > 0 || strcmp(method, "POST") == 0;
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : NET_HTTP_TIMEOUT_MS;
    int64_t connect_ms =
        request->connect_timeout_ms > 0 ? request->connect_timeout_ms : NET_HTTP_CONNECT_TIMEOUT_MS;
    CURLcode code = CURLE_OK;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_URL, request->url);
    if (has_body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        SET(CURLOPT_POSTFIELDS, request->body.length > 0 ? (const char *)request->body.data : "");
    } else
        SET(CURLOPT_HTTPGET, 1L);
    SET(CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    SET(CURLOPT_CUSTOMREQUEST, method);
    SET(CURLOPT_HTTPHEADER, list);
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ms < timeout_ms ? connect_ms : timeout_ms));
    /* Over TLS the first connection's handshake tells whether it can carry the others too. Without
     * it only an answer could, for which they must not wait. */
    SET(CURLOPT_HTTP_VERSION, is_tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
#undef SET
    return code == CURLE_OK;
}

static void call_clear(net_http_call *call, net_http_request *request) {
    size_t keep = request->keep_bytes < NET_HTTP_KEEP_MAX_BYTES ? request->keep_bytes
                                                                : NET_HTTP_KEEP_MAX_BYTES;
    if (call->body.capacity > keep)
        core_buffer_fini(&call->body);
    core_buffer_reset(&call->body);
    call->body.max_bytes = keep;
    call->request = request;
    call->began_ns = core_clock_system()->monotonic_ns(core_clock_system());
    call->header_bytes = call->passed_bytes = 0;
    call->head_ended = call->headers_too_large = call->body_is_cut = call->dropped = false;
    call->message[0] = '\0';
    net_gate_reset(&call->gate, request->allow);
}

bool net_http_call_begin(net_http_call *call, net_http_request *request, const net_guard *guard,
                         const char *ca_file, net_http_result *result) {
    struct curl_slist *list = NULL;
    CORE_MAGIC_CHECK(call, CALL_MAGIC);
    if (call->easy == NULL && !handle_make(call, guard, ca_file)) {
        call->request = request;
        *result = net_http_call_no_result(NET_HTTP_FAILED, "no memory for a request");
        return false;
    }
    call_clear(call, request);
    const char *fault = headers_take(call, request, &list);
    if (fault == NULL && request->method != NULL && !is_token(request->method))
        fault = "the method is not one of HTTP's";
    if (fault == NULL && net_guard_url_check(guard, request->allow, request->url,
                                             &call->gate.error) != NET_GUARD_PASS)
        fault = call->gate.error.text;
    if (fault != NULL)
        *result = net_http_call_no_result(NET_HTTP_REFUSED, fault);
    else if (!request_set(call, request, list))
        *result = net_http_call_no_result(NET_HTTP_FAILED, "no memory for a request");
    else
        return true;
    return false;
}

/* ---- What became of it ---- */

static net_http_outcome outcome_of(const net_http_call *call, CURLcode code) {
    if (call->gate.is_held_back)
        return NET_HTTP_WITHDRAWN;
    if (code == CURLE_OK && !call->head_ended) /* to libcurl a head that was cut is whole */
        return NET_HTTP_BROKEN;
    if (code == CURLE_OK || call->dropped)
        return NET_HTTP_ANSWERED;
    if (call->headers_too_large)
        return NET_HTTP_TOO_LARGE;
    if (net_gate_closed(&call->gate))
        return NET_HTTP_REFUSED;
    switch (code) {
    case CURLE_URL_MALFORMAT:
        return NET_HTTP_REFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return NET_HTTP_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
        return NET_HTTP_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return NET_HTTP_TIMED_OUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
        return NET_HTTP_UNTRUSTED;
    case CURLE_WRITE_ERROR: /* no memory for what is kept */
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CACERT_BADFILE:
        return NET_HTTP_FAILED;
    default:
        return NET_HTTP_BROKEN;
    }
}

static const char *reason_of(const net_http_call *call, net_http_outcome outcome, CURLcode code) {
    switch (outcome) {
    case NET_HTTP_ANSWERED:
        return "";
    case NET_HTTP_WITHDRAWN:
        return "it was withdrawn before it began";
    case NET_HTTP_TOO_LARGE:
        return "the answer's headers are larger than 32768 bytes";
    case NET_HTTP_REFUSED:
        if (net_gate_closed(&call->gate))
            return call->gate.error.text;
        break;
    default:
        break;
    }
    if (code == CURLE_OK)
        return "it closed within its head";
    return call->message[0] != '\0' ? call->message : curl_easy_strerror(code);
}

static int64_t time_us(CURL *easy, CURLINFO info) {
    curl_off_t us = 0;
    (void)curl_easy_getinfo(easy, info, &us);
    return us > 0 ? (int64_t)us : -1;
}

static void times_take(const net_http_call *call, net_http_result *result) {
    result->queue_us = (call->began_ns - call->request->own.sent_ns) / 1000;
    result->dns_us = time_us(call->easy, CURLINFO_NAMELOOKUP_TIME_T);
    result->connect_us = time_us(call->easy, CURLINFO_CONNECT_TIME_T);
    result->tls_us = time_us(call->easy, CURLINFO_APPCONNECT_TIME_T);
    result->first_byte_us = time_us(call->easy, CURLINFO_STARTTRANSFER_TIME_T);
    result->total_us = time_us(call->easy, CURLINFO_TOTAL_TIME_T);
}

static void peer_take(const net_http_call *call, net_http_result *result) {
    const char *address = NULL;
    long port = 0;
    if (curl_easy_getinfo(call->easy, CURLINFO_PRIMARY_IP, &address) != CURLE_OK ||
        curl_easy_getinfo(call->easy, CURLINFO_PRIMARY_PORT, &port) != CURLE_OK ||
        address == NULL ||
        !core_slice_to_text(core_slice_text(address), result->address, sizeof result->address))
        return;
    result->port = (unsigned)port;
}

static unsigned version_of(CURL *easy) {
    long version = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_1_0   ? 10
           : version == CURL_HTTP_VERSION_1_1 ? 11
           : version == CURL_HTTP_VERSION_2_0 ? 20
                                              : 0;
}

void net_http_call_result(net_http_call *call, CURLcode code, net_http_result *result) {
    long status = 0;
    CORE_MAGIC_CHECK(call, CALL_MAGIC);
    net_http_outcome outcome = outcome_of(call, code);
    *result = net_http_call_no_result(outcome, reason_of(call, outcome, code));
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    result->status = (unsigned)status;
    result->version = status != 0 ? version_of(call->easy) : 0;
    result->body = core_buffer_slice(&call->body);
    result->body_is_cut = call->body_is_cut;
    result->handle = call->easy;
    times_take(call, result);
    peer_take(call, result);
    core_slice again = net_http_header_find(result, "Retry-After");
    if (again.length > 0)
        result->retry_after_ms = net_retry_after_read(
            again, core_clock_wall_us(core_clock_system()), NET_HTTP_RETRY_AFTER_MAX_MS);
}

net_http_result net_http_call_no_result(net_http_outcome outcome, const char *reason) {
    return (net_http_result){.outcome = outcome,
                             .reason = reason,
                             .retry_after_ms = -1,
                             .dns_us = -1,
                             .connect_us = -1,
                             .tls_us = -1,
                             .first_byte_us = -1,
                             .total_us = -1};
}

void net_http_call_end(net_http_call *call, net_http_result *result) {
    CORE_MAGIC_CHECK(call, CALL_MAGIC);
    net_http_request *request = call->request;
    request->completed(request, result);
    call->request = NULL;
}

core_slice net_http_header_find(const net_http_result *result, const char *name) {
    struct curl_header *header;
    if (result->handle == NULL ||
        curl_easy_header(result->handle, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return core_slice_make(NULL, 0);
    size_t last = header->amount - 1;
    if (last > 0 &&
        curl_easy_header(result->handle, name, last, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return core_slice_make(NULL, 0);
    return core_slice_text(header->value);
}

const char *net_http_outcome_name(net_http_outcome outcome) {
    static const char *const names[NET_HTTP_OUTCOME_COUNT] = {
        [NET_HTTP_ANSWERED] = "answered",     [NET_HTTP_REFUSED] = "refused",
        [NET_HTTP_UNRESOLVED] = "unresolved", [NET_HTTP_UNREACHABLE] = "unreachable",
        [NET_HTTP_UNTRUSTED] = "untrusted",   [NET_HTTP_TIMED_OUT] = "timed_out",
        [NET_HTTP_BROKEN] = "broken",         [NET_HTTP_TOO_LARGE] = "too_large",
        [NET_HTTP_STOPPED] = "stopped",       [NET_HTTP_FAILED] = "failed",
        [NET_HTTP_WITHDRAWN] = "withdrawn",
    };
    return names[outcome];
}
