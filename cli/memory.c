/* The sum of the maxima; see memory.h. Each part names the keys that bound it. It is what could be
 * held at once at the worst, not what is used: frames are shared among clients, and a queue is
 * empty while its client reads. Buffers of fixed size (rings, one change being encoded) are not in
 * the sum: together they are tens of MiB. */
#include "cli/memory.h"

typedef struct {
    const char *part;
    const char *first; /* keys whose values are multiplied; NULL: 1 */
    const char *second;
    int64_t bytes_each;
    bool (*applies)(const core_config *config); /* NULL: always */
    bool of_source;                             /* each source takes it, by its own keys */
} memory_row;

static bool encodes_json(const core_config *config) {
    return strcmp(core_config_text(config, "nats.encoding"), "json") == 0;
}

static bool queues_are_capped(const core_config *config) {
    return core_config_integer(config, "ws.queue_total_bytes") > 0;
}

static bool queues_are_not_capped(const core_config *config) {
    return !queues_are_capped(config);
}

static bool has_issuer(const core_config *config) {
    return core_config_text(config, "auth.jwks_url") != NULL;
}

static bool speaks_tls(const core_config *config) {
    return core_config_text(config, "http.tls_cert") != NULL;
}

static bool limits_some(const core_config *config) {
    return strcmp(core_config_text(config, "limits.tier"), "unlimited") != 0 ||
           core_config_list_count(config, "limits.projects") > 0;
}

static const memory_row memory_rows[] = {
    {"publisher's window (nats.window_bytes)", "nats.window_bytes", NULL, 1, NULL, true},
    {"runs being built and sent (2 x cdc.run_bytes)", "cdc.run_bytes", NULL, 2, NULL, true},
    {"transactions that are sent while they run (cdc.memory_bytes)", "cdc.memory_bytes", NULL, 1,
     NULL, true},
    {"a row being split, put together and relayed (3 x cdc.max_row_bytes)", "cdc.max_row_bytes",
     NULL, 3, NULL, true},
    {"a row as JSON, made, read and relayed (20 x cdc.max_row_bytes)", "cdc.max_row_bytes", NULL,
     20, encodes_json, true},
    {"bytes that wait for clients, and from them (ws.queue_total_bytes)", "ws.queue_total_bytes",
     NULL, 1, queues_are_capped, false},
    {"client queues (ws.max_connections x ws.queue_bytes)", "ws.max_connections", "ws.queue_bytes",
     1, queues_are_not_capped, false},
    {"frames being received (ws.max_connections x ws.max_frame_bytes)", "ws.max_connections",
     "ws.max_frame_bytes", 1, queues_are_not_capped, false},
    {"presences, and a gateway's state of them on its way (2 x presence.max_bytes)",
     "presence.max_bytes", NULL, 2, NULL, true},
    {"the stream's last messages, for clients that come back (ws.tail_bytes)", "ws.tail_bytes",
     NULL, 1, NULL, true},
    {"what waits for the gateway's hub: changes, history, broadcasts (192 MiB)", NULL, NULL,
     INT64_C(192) << 20, NULL, true},
    {"present rows that clients have yet to take (256 MiB)", NULL, NULL, INT64_C(256) << 20, NULL,
     true},
    {"API keys and revoked tokens (160 MiB)", NULL, NULL, INT64_C(160) << 20, NULL, false},
    {"audit records that wait for NATS (4 MiB)", NULL, NULL, INT64_C(4) << 20, NULL, false},
    {"limits by tier, with the other nodes' counts (32 MiB)", NULL, NULL, INT64_C(32) << 20,
     limits_some, false},
    {"connections (ws.max_connections x 8 KiB)", "ws.max_connections", NULL, 8192, NULL, false},
    {"their TLS (ws.max_connections x 20 KiB)", "ws.max_connections", NULL, 20480, speaks_tls,
     false},
    {"signatures that are known (auth.token_cache x 48 bytes)", "auth.token_cache", NULL, 48,
     has_issuer, false},
    {"requests answered later (http.threads x 64 MiB)", "http.threads", NULL, 64 << 20, NULL,
     false},
};

static size_t row_sources(const core_config *config, const memory_row *row) {
    return row->of_source ? core_config_source_count(config) : 1;
}

static bool row_applies_to(const core_config *source, const memory_row *row) {
    return row->applies == NULL || row->applies(source);
}

static bool row_applies(const core_config *config, const memory_row *row) {
    for (size_t i = 0; i < row_sources(config, row); i++)
        if (row_applies_to(core_config_source(config, i), row))
            return true;
    return false;
}

static int64_t row_bytes_of(const core_config *source, const memory_row *row) {
    if (!row_applies_to(source, row))
        return 0;
    int64_t bytes = row->bytes_each;
    if (row->first != NULL)
        bytes *= core_config_integer(source, row->first);
    int64_t factor = row->second != NULL ? core_config_integer(source, row->second) : 1;
    return __builtin_mul_overflow(bytes, factor, &bytes) ? INT64_MAX : bytes;
}

static int64_t row_bytes(const core_config *config, const memory_row *row) {
    int64_t bytes = 0;
    for (size_t i = 0; i < row_sources(config, row); i++)
        if (__builtin_add_overflow(bytes, row_bytes_of(core_config_source(config, i), row), &bytes))
            return INT64_MAX;
    return bytes;
}

static int64_t total_bytes(const core_config *config) {
    int64_t total = 0;
    for (size_t i = 0; i < CORE_COUNT_OF(memory_rows); i++)
        if (__builtin_add_overflow(total, row_bytes(config, &memory_rows[i]), &total))
            return INT64_MAX;
    return total;
}

static double mebibytes(int64_t bytes) {
    return (double)bytes / (1024.0 * 1024.0);
}

void cli_memory_print(const core_config *config, FILE *out) {
    (void)fprintf(out, "memory: at most %.1f MiB by the limits above\n",
                  mebibytes(total_bytes(config)));
    for (size_t i = 0; i < CORE_COUNT_OF(memory_rows); i++) {
        if (!row_applies(config, &memory_rows[i]))
            continue;
        (void)fprintf(out, "  %10.1f MiB  %s\n", mebibytes(row_bytes(config, &memory_rows[i])),
                      memory_rows[i].part);
    }
}

void cli_memory_json(const core_config *config, core_json_writer *writer) {
    core_json_object_open(writer);
    core_json_key_text(writer, "total_bytes");
    core_json_signed(writer, total_bytes(config));
    core_json_key_text(writer, "parts");
    core_json_array_open(writer);
    for (size_t i = 0; i < CORE_COUNT_OF(memory_rows); i++) {
        if (!row_applies(config, &memory_rows[i]))
            continue;
        core_json_object_open(writer);
        core_json_key_text(writer, "part");
        core_json_text(writer, memory_rows[i].part);
        core_json_key_text(writer, "bytes");
        core_json_signed(writer, row_bytes(config, &memory_rows[i]));
        core_json_object_close(writer);
    }
    core_json_array_close(writer);
    core_json_object_close(writer);
}
