/* See stream_options.h. Which version brought what: PostgreSQL's documentation, "Logical Streaming
 * Replication Parameters". */
#include "cdc/stream_options.h"

enum {
    VERSION_14 = 140000, /* protocol 2: streaming; logical messages; binary */
    VERSION_15 = 150000, /* protocol 3: two-phase */
    VERSION_16 = 160000, /* protocol 4: details of aborts, with streaming 'parallel' */
};

static int protocol_of(int version) {
    if (version >= VERSION_16)
        return 4;
    if (version >= VERSION_15)
        return 3;
    return version >= VERSION_14 ? 2 : 1;
}

static const char *streaming_of(int version) {
    if (version >= VERSION_16)
        return "parallel";
    return version >= VERSION_14 ? "on" : NULL;
}

static bool version_check(const core_config *config, const char *key, int version, int needed,
                          core_error *error) {
    return !core_config_bool(config, key) || version >= needed ||
           core_error_set(error, CORE_ERROR_CONFIG,
                          "%s (%s) is true, which needs PostgreSQL %d; the server is %d: set it to "
                          "false",
                          key, core_config_origin(config, key), needed / 10000, version / 10000);
}

bool cdc_stream_options_decide(const core_config *config, int version, bool whole,
                               cdc_stream_options *options, core_error *error) {
    if (!version_check(config, "postgres.two_phase", version, VERSION_15, error) ||
        !version_check(config, "postgres.binary", version, VERSION_14, error))
        return false;
    bool in_parts = !whole && strcmp(core_config_text(config, "postgres.streaming"), "auto") == 0;
    *options = (cdc_stream_options){
        .protocol = protocol_of(version),
        .streaming = in_parts ? streaming_of(version) : NULL,
        .two_phase = core_config_bool(config, "postgres.two_phase"),
        .binary = core_config_bool(config, "postgres.binary"),
        .messages = version >= VERSION_14,
    };
    return true;
}

void cdc_stream_options_append(const cdc_stream_options *options, core_buffer *sql) {
    core_buffer_format(sql, "proto_version '%d'", options->protocol);
    if (options->streaming != NULL)
        core_buffer_format(sql, ", streaming '%s'", options->streaming);
    if (options->two_phase)
        core_buffer_text(sql, ", two_phase 'on'");
    if (options->binary)
        core_buffer_text(sql, ", binary 'true'");
    if (options->messages)
        core_buffer_text(sql, ", messages 'true'");
}
