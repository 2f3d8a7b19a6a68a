/* The two tables that turn foreign error codes into ours, and the sentence made of them.
 *
 * A code in neither table is TRANSIENT: most of what a broker answers while it restarts, elects a
 * leader or recovers is in no list, and a retry with backoff is right for it. */
#include "fanout/status.h"

#include <string.h>

typedef struct {
    natsStatus status;
    core_error_code error_code;
    const char *hint;
} status_row;

static const status_row status_rows[] = {
    {NATS_NO_SERVER, CORE_ERROR_TRANSIENT, "is nats-server running at nats.url?"},
    {NATS_IO_ERROR, CORE_ERROR_TRANSIENT, "is nats-server running at nats.url?"},
    {NATS_TIMEOUT, CORE_ERROR_TRANSIENT, "no answer in time"},
    {NATS_CONNECTION_CLOSED, CORE_ERROR_TRANSIENT, ""},
    {NATS_CONNECTION_DISCONNECTED, CORE_ERROR_TRANSIENT, ""},
    {NATS_STALE_CONNECTION, CORE_ERROR_TRANSIENT, ""},
    {NATS_NO_RESPONDERS, CORE_ERROR_TRANSIENT,
     "JetStream does not answer: does nats-server run with -js (jetstream {} in its file)?"},
    {NATS_CONNECTION_AUTH_FAILED, CORE_ERROR_CONFIG,
     "give nats-server's user and password in nats.url or its credentials file as nats.creds"},
    {NATS_SECURE_CONNECTION_WANTED, CORE_ERROR_CONFIG,
     "nats-server offers no TLS: set nats.tls_required to false and leave nats.tls_* out, or "
     "configure TLS there"},
    {NATS_SECURE_CONNECTION_REQUIRED, CORE_ERROR_CONFIG,
     "nats-server asks for TLS: set nats.tls_required to true and nats.tls_ca to its CA"},
    {NATS_SSL_ERROR, CORE_ERROR_CONFIG,
     "check nats.tls_ca (who signed nats-server's certificate), the host name in nats.url, and "
     "nats.tls_cert with nats.tls_key if it asks for a client's certificate"},
    {NATS_NOT_PERMITTED, CORE_ERROR_DENIED, "grant this user's permissions in nats-server"},
    {NATS_ADDRESS_MISSING, CORE_ERROR_CONFIG, "expected nats://HOST:PORT in nats.url"},
    {NATS_MAX_PAYLOAD, CORE_ERROR_LIMIT, "raise max_payload in nats-server"},
    {NATS_NO_SERVER_SUPPORT, CORE_ERROR_CONFIG, "nats-server 2.9 or later is needed"},
    {NATS_NO_MEMORY, CORE_ERROR_INTERNAL, ""},
    {NATS_INVALID_ARG, CORE_ERROR_INTERNAL, ""},
    {NATS_INVALID_SUBJECT, CORE_ERROR_INTERNAL, ""},
};

static const fanout_api_code api_codes[] = {
    {JSStreamWrongLastSequenceErr, CORE_ERROR_CONFLICT, "somebody else wrote to the stream"},
    {JSStreamWrongLastMsgIDErr, CORE_ERROR_CONFLICT, "somebody else wrote to the stream"},
    {JSStreamSequenceNotMatchErr, CORE_ERROR_CONFLICT, "somebody else wrote to the stream"},
    {JSStreamNotMatchErr, CORE_ERROR_CONFLICT, "another stream takes these subjects"},
    {JSStreamStoreFailedErr, CORE_ERROR_FULL,
     "a full stream goes on when messages age out or nats.max_bytes is raised"},
    {JSInsufficientResourcesErr, CORE_ERROR_FULL,
     "raise max_file_store in nats-server or free its disk"},
    {JSStorageResourcesExceededErr, CORE_ERROR_FULL,
     "raise max_file_store in nats-server or lower nats.max_bytes"},
    {JSAccountResourcesExceededErr, CORE_ERROR_FULL, "raise the account's JetStream limits"},
    {JSStreamMaxStreamBytesExceededErr, CORE_ERROR_LIMIT,
     "lower nats.max_bytes or raise the account's limit"},
    {JSStreamMaxBytesRequiredErr, CORE_ERROR_CONFIG, "the account requires nats.max_bytes"},
    {JSStreamMessageExceedsMaximumErr, CORE_ERROR_LIMIT, "raise the stream's max_msg_size"},
    {JSMaximumStreamsLimitErr, CORE_ERROR_LIMIT, "raise the account's number of streams"},
    {JSMaximumConsumersLimitErr, CORE_ERROR_LIMIT, "raise the account's number of consumers"},
    {JSStreamSubjectOverlapErr, CORE_ERROR_CONFIG,
     "another stream takes these subjects: choose another nats.prefix or remove that stream"},
    {JSStreamReplicasNotSupportedErr, CORE_ERROR_CONFIG,
     "nats-server is not clustered: set nats.replicas to 1"},
    {JSStreamInvalidConfig, CORE_ERROR_CONFIG, "check nats.stream, nats.prefix, nats.max_*"},
    {JSConsumerFilterNotSubsetErr, CORE_ERROR_CONFIG,
     "the stream holds no such subjects: check nats.stream and nats.prefix"},
    {JSNotEnabledErr, CORE_ERROR_CONFIG, "start nats-server with -js (jetstream {} in its file)"},
    {JSNotEnabledForAccountErr, CORE_ERROR_CONFIG, "enable JetStream for this user's account"},
    {JSStreamNotFoundErr, CORE_ERROR_TRANSIENT, "cdc makes it when it starts"},
    {JSNoMessageFoundErr, CORE_ERROR_INPUT, ""},
};

const fanout_api_code *fanout_api_code_find(int code) {
    for (size_t i = 0; i < CORE_COUNT_OF(api_codes); i++)
        if (api_codes[i].code == code)
            return &api_codes[i];
    return NULL;
}

static const status_row *status_row_find(natsStatus status) {
    for (size_t i = 0; i < CORE_COUNT_OF(status_rows); i++)
        if (status_rows[i].status == status)
            return &status_rows[i];
    return NULL;
}

/* nats.c begins its texts with "(conn.c:4212): ", which helps nobody here. */
static const char *without_place(const char *text) {
    const char *end = text[0] == '(' ? strstr(text, "): ") : NULL;
    return end != NULL ? end + strlen("): ") : text;
}

bool fanout_status_error(core_error *error, natsStatus status, int api_code, const char *doing,
                         const char *object) {
    const fanout_api_code *api = fanout_api_code_find(api_code);
    const status_row *row = status_row_find(status);
    core_error_code code = CORE_ERROR_TRANSIENT;
    const char *hint = "";
    if (api != NULL) {
        code = api->error_code;
        hint = api->hint;
    } else if (row != NULL && api_code == 0) {
        code = row->error_code;
        hint = row->hint;
    }
    natsStatus last = NATS_OK;
    const char *text = nats_GetLastError(&last);
    if (text == NULL || text[0] == '\0' || last != status)
        text = natsStatus_GetText(status);
    text = without_place(text);
    return core_error_set(error, code, "cannot %s %s: %s%s%s", doing, object, text,
                          hint[0] != '\0' ? "; " : "", hint);
}
