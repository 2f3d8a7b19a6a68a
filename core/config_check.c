/* The keys' own conditions; see config_private.h. Each says what it expects, with an example.
 *
 * They find what is surely wrong before a connection is tried; they do not parse for those who will
 * use the value. */
#include "core/config_private.h"

#include "core/address.h"
#include "core/subject.h"
#include "core/tenant.h"

#include <ctype.h>

#define CONFIG_CLAIM_MAX 256
#define CONFIG_NAME_MAX  63 /* bytes of a PostgreSQL identifier, NAMEDATALEN - 1 */

static bool config_expected(core_error *error, const char *expected) {
    return core_error_set(error, CORE_ERROR_CONFIG, "expected %s", expected);
}

static bool config_port_valid(const char *text) {
    uint64_t port;
    return core_slice_to_u64(core_slice_text(text), &port) && port <= 65535;
}

bool core_config_check_listen(const char *text, core_error *error) {
    const char *colon = strrchr(text, ':');
    size_t host = colon != NULL ? (size_t)(colon - text) : 0;
    bool bracketed = host > 2 && text[0] == '[' && text[host - 1] == ']';
    bool plain = host > 0 && strcspn(text, ":/[] @") == host;
    return ((bracketed || plain) && config_port_valid(colon + 1)) ||
           config_expected(error, "HOST:PORT such as 127.0.0.1:4000, 0.0.0.0:4000 or [::]:4000");
}

static bool config_starts(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0 && text[strlen(start)] != '\0';
}

bool core_config_check_postgres_url(const char *text, core_error *error) {
    return config_starts(text, "postgres://") || config_starts(text, "postgresql://") ||
           config_expected(error, "a URL such as postgres://USER:PASSWORD@HOST:5432/DATABASE");
}

bool core_config_check_nats_urls(const char *text, core_error *error) {
    const char *at = strchr(text, ' ') == NULL ? text : "";
    while (config_starts(at, "nats://") || config_starts(at, "tls://")) {
        size_t length = strcspn(at, ",");
        if (at[length - 1] != '/' && at[length] == '\0')
            return true;
        at += length + (at[length] == ',');
    }
    return config_expected(error, "a URL such as nats://HOST:4222 or tls://HOST:4222, or several "
                                  "with commas between");
}

bool core_config_check_http_url(const char *text, core_error *error) {
    return config_starts(text, "https://") || config_starts(text, "http://") ||
           config_expected(error, "a URL such as https://HOST/.well-known/jwks.json");
}

bool core_config_check_network(const char *text, core_error *error) {
    core_network network;
    return core_network_parse(core_slice_text(text), &network) ||
           config_expected(error, "an address or a network such as 127.0.0.1, 10.0.0.0/8 or "
                                  "fd00::/8, without bits behind the prefix");
}

/* A network, perhaps of one project. */
bool core_config_check_allowed(const char *text, core_error *error) {
    const char *sign = strchr(text, '=');
    core_network network;
    return (sign != text &&
            core_network_parse(core_slice_text(sign != NULL ? sign + 1 : text), &network)) ||
           config_expected(error, "an address or a network such as 127.0.0.1 or 10.0.0.0/8, or "
                                  "with the one project that may reach it: shop=10.0.0.0/8");
}

/* SCHEME://HOST[:PORT] without a path, as browsers write it; a star for a first label or a port. */
static bool config_origin_valid(const char *text) {
    size_t scheme = strcspn(text, ":");
    if (scheme == 0 || strncmp(text + scheme, "://", 3) != 0 || strlen(text) > 256)
        return false;
    const char *host = text + scheme + 3;
    if (strncmp(host, "*.", 2) == 0)
        host += 2;
    size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (length == 0 || length > strlen(host) || strcspn(host, "*/ ,@?#") < length)
        return false;
    const char *port = host + length;
    return *port == '\0' || strcmp(port, ":*") == 0 ||
           (*port == ':' && config_port_valid(port + 1));
}

bool core_config_check_origin(const char *text, core_error *error) {
    return strcmp(text, "*") == 0 || strcmp(text, "null") == 0 || config_origin_valid(text) ||
           config_expected(error, "*, or an origin such as https://app.example.com, "
                                  "https://*.example.com or http://localhost:*, without a path");
}

bool core_config_check_tenant(const char *text, core_error *error) {
    return core_subject_id_valid(text, NULL) ||
           config_expected(error, "a name of at most 64 bytes that is none of events, jobs, "
                                  "workflows, triggers, realtime, snapshots, audit");
}

bool core_config_check_tier(const char *text, core_error *error) {
    static const char *const tiers[] = {"free", "pro", "enterprise", "unlimited"};
    const char *equals = strrchr(text, '=');
    if (equals != NULL && equals != text)
        for (size_t i = 0; i < CORE_COUNT_OF(tiers); i++)
            if (strcmp(equals + 1, tiers[i]) == 0)
                return true;
    return config_expected(error,
                           "PROJECT=TIER, the tier being free, pro, enterprise or unlimited");
}

static bool config_bytes_all(const char *text, bool (*allowed)(char byte)) {
    for (; *text != '\0'; text++)
        if (!allowed(*text))
            return false;
    return true;
}

static bool config_slot_byte(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '_';
}

bool core_config_check_slot(const char *text, core_error *error) {
    return (strlen(text) <= CONFIG_NAME_MAX && config_bytes_all(text, config_slot_byte)) ||
           config_expected(error, "at most 63 of a-z, 0-9 and _, as PostgreSQL wants slots named");
}

bool core_config_check_identifier(const char *text, core_error *error) {
    return strlen(text) <= CONFIG_NAME_MAX ||
           config_expected(error, "a name of at most 63 bytes, as PostgreSQL wants it");
}

bool core_config_check_claim(const char *text, core_error *error) {
    return strlen(text) < CONFIG_CLAIM_MAX ||
           config_expected(error, "a claim's name or path of at most 255 bytes");
}

/* `schema.table`, `schema.*`, either part quoted when it has a dot: the dot between them is there
 * and neither part is empty. */
bool core_config_check_table(const char *text, core_error *error) {
    size_t dot = 0;
    bool quoted = false;
    for (; text[dot] != '\0' && (text[dot] != '.' || quoted); dot++)
        quoted ^= text[dot] == '"';
    return (dot > 0 && text[dot] == '.' && text[dot + 1] != '\0' && text[dot + 1] != '.') ||
           config_expected(error, "SCHEMA.TABLE, or SCHEMA.* for all tables of a schema");
}

bool core_config_check_tenant_schema(const char *text, core_error *error) {
    return core_tenant_pattern_valid(text) ||
           config_expected(error,
                           "a schema's name with one {project_id} in it and some text beside "
                           "that, such as proj_{project_id}");
}

static bool config_stream_byte(char byte) {
    return isalnum((unsigned char)byte) || byte == '_' || byte == '-';
}

bool core_config_check_stream(const char *text, core_error *error) {
    return (strlen(text) <= 32 && config_bytes_all(text, config_stream_byte)) ||
           config_expected(error, "at most 32 letters, digits, _ and -");
}

bool core_config_check_prefix(const char *text, core_error *error) {
    return (strlen(text) <= 64 && config_bytes_all(text, config_stream_byte)) ||
           config_expected(error, "at most 64 letters, digits, _ and -: one token of a subject");
}

static void config_needs(core_config_loader *loader, const char *key, const char *other) {
    const core_config *config = loader->config;
    if (core_config_text(config, key) != NULL && core_config_text(config, other) == NULL)
        core_config_problem(loader, core_config_origin(config, key),
                            "%s: is set without %s; set both or neither", key, other);
}

/* Binary values are not JSON, and nothing here decodes them. */
static void config_encoding_check(core_config_loader *loader) {
    const core_config *config = loader->config;
    if (strcmp(core_config_text(config, "nats.encoding"), "json") == 0 &&
        core_config_bool(config, "postgres.binary"))
        core_config_problem(loader, core_config_origin(config, "nats.encoding"),
                            "nats.encoding: json: needs values as text, but postgres.binary is "
                            "true; set that to false, or this to protobuf");
}

/* One lost heartbeat, or two, must not look like a gateway's end. */
static void config_presence_check(core_config_loader *loader) {
    const core_config *config = loader->config;
    int64_t heartbeat = core_config_integer(config, "presence.heartbeat");
    int64_t down = core_config_integer(config, "presence.down_after");
    if (down < 3 * heartbeat)
        core_config_problem(loader, core_config_origin(config, "presence.down_after"),
                            "presence.down_after: %lld ms: expected at least three times "
                            "presence.heartbeat, which is %lld ms; raise it or lower that",
                            (long long)down, (long long)heartbeat);
}

/* A schema is one project's. */
static void config_tenants_check(core_config_loader *loader) {
    static const char key[] = "postgres.tenant_schemas";
    const char *const *patterns = core_config_list_items(loader->config, key);
    for (size_t i = 0; i < core_config_list_count(loader->config, key); i++)
        for (size_t j = 0; j < i; j++)
            if (core_tenant_patterns_overlap(patterns[i], patterns[j]))
                core_config_problem(loader, core_config_origin(loader->config, key),
                                    "%s: %s and %s: a schema could match both; expected patterns "
                                    "that do not overlap",
                                    key, patterns[j], patterns[i]);
}

/* A window must have more than one look. */
static void config_limits_check(core_config_loader *loader) {
    const core_config *config = loader->config;
    int64_t sync = core_config_integer(config, "limits.sync");
    int64_t window = core_config_integer(config, "limits.window");
    if (2 * sync > window)
        core_config_problem(loader, core_config_origin(config, "limits.sync"),
                            "limits.sync: %lld ms: expected at most half of limits.window, which "
                            "is %lld ms; lower it or raise that",
                            (long long)sync, (long long)window);
}

void core_config_check_together(core_config_loader *loader) {
    const core_config *config = loader->config;
    config_tenants_check(loader);
    config_presence_check(loader);
    config_needs(loader, "http.tls_cert", "http.tls_key");
    config_needs(loader, "http.tls_key", "http.tls_cert");
    config_limits_check(loader);
    config_needs(loader, "nats.tls_cert", "nats.tls_key");
    config_needs(loader, "nats.tls_key", "nats.tls_cert");
    config_encoding_check(loader);
    int64_t run = core_config_integer(config, "cdc.run_bytes");
    int64_t window = core_config_integer(config, "nats.window_bytes");
    if (run > window)
        core_config_problem(loader, core_config_origin(config, "cdc.run_bytes"),
                            "cdc.run_bytes: %lld bytes: expected at most nats.window_bytes, which "
                            "is %lld; lower it or raise that",
                            (long long)run, (long long)window);
}
