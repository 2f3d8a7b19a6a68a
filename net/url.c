/* See url.h. */
#include "net/url.h"

#include <curl/curl.h>

static bool part_get(CURLU *handle, CURLUPart part, unsigned flags, char *text, size_t size) {
    char *value = NULL;
    if (curl_url_get(handle, part, &value, flags) != CURLUE_OK)
        return false;
    bool fits = core_slice_to_text(core_slice_text(value), text, size);
    curl_free(value);
    return fits;
}

static bool part_is_set(CURLU *handle, CURLUPart part) {
    char *value = NULL;
    bool set = curl_url_get(handle, part, &value, 0) == CURLUE_OK;
    curl_free(value);
    return set;
}

/* A percent-encoded one is decoded by now; letters beyond ASCII are written xn--. */
static bool host_is_plain(const char *host) {
    for (const char *at = host; *at != '\0'; at++)
        if ((uint8_t)*at <= ' ' || (uint8_t)*at >= 0x7f)
            return false;
    return true;
}

/* "[::1]" as "::1", "a.example." as "a.example"; a zone is another part. */
static bool host_trim(char *host) {
    size_t length = strlen(host);
    if (host[0] == '[' && host[length - 1] == ']') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
        return length > 2;
    }
    if (length > 0 && host[length - 1] == '.')
        host[--length] = '\0';
    return length > 0;
}

static net_guard_verdict parts_read(CURLU *handle, const char *text, net_url *url) {
    char scheme[16], port[8];
    uint64_t number;
    CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, 0);
    if (code == CURLUE_UNSUPPORTED_SCHEME)
        return NET_GUARD_SCHEME;
    if (code != CURLUE_OK)
        return NET_GUARD_SYNTAX;
    if (!part_get(handle, CURLUPART_SCHEME, 0, scheme, sizeof scheme) ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return NET_GUARD_SCHEME;
    if (part_is_set(handle, CURLUPART_USER) || part_is_set(handle, CURLUPART_PASSWORD))
        return NET_GUARD_CREDENTIALS;
    url->is_https = scheme[4] == 's';
    if (!part_get(handle, CURLUPART_HOST, 0, url->host, sizeof url->host) ||
        !host_is_plain(url->host) || !host_trim(url->host) ||
        !part_get(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port) ||
        !core_slice_to_u64(core_slice_text(port), &number) || number > UINT16_MAX)
        return NET_GUARD_SYNTAX;
    url->port = (unsigned)number;
    return NET_GUARD_PASS;
}

/* What no URL has (RFC 3986: beyond ASCII all is percent-encoded), and what parsers read in
 * different ways. */
static bool text_is_plain(const char *text) {
    size_t length = strnlen(text, NET_URL_MAX_BYTES + 1);
    if (length == 0 || length > NET_URL_MAX_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)text[i] <= ' ' || (uint8_t)text[i] >= 0x7f || text[i] == '\\')
            return false;
    return true;
}

net_guard_verdict net_url_read(const char *text, net_url *url) {
    *url = (net_url){.port = 0};
    if (!text_is_plain(text))
        return NET_GUARD_SYNTAX;
    CURLU *handle = curl_url();
    net_guard_verdict verdict = handle != NULL ? parts_read(handle, text, url) : NET_GUARD_SYNTAX;
    curl_url_cleanup(handle);
    return verdict;
}

bool net_url_authority_read(core_slice text, unsigned port_otherwise, net_url *url) {
    const uint8_t *at = text.length > 0 ? memrchr(text.data, '@', text.length) : NULL;
    const uint8_t *host = at != NULL ? at + 1 : text.data;
    size_t length = text.length - (size_t)(host - text.data);
    const uint8_t *close = length > 0 && host[0] == '[' ? memchr(host, ']', length) : NULL;
    const uint8_t *from = close != NULL ? close : host;
    const uint8_t *colon = length > 0 ? memchr(from, ':', length - (size_t)(from - host)) : NULL;
    size_t host_length = colon != NULL ? (size_t)(colon - host) : length;
    uint64_t port = port_otherwise;
    *url = (net_url){.port = port_otherwise};
    if (colon != NULL && length > host_length + 1 &&
        (!core_slice_to_u64(core_slice_make(colon + 1, length - host_length - 1), &port) ||
         port > UINT16_MAX))
        return false;
    url->port = (unsigned)port;
    return core_slice_to_text(core_slice_make(host, host_length), url->host, sizeof url->host) &&
           host_trim(url->host);
}
