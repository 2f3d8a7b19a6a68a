/* nats.c's connect options from the configuration; see connection.h.
 *
 * Files named by keys are opened here first, since nats.c's own message names neither the key nor,
 * always, the file. A `tls://` URL insists on TLS: nats.c by itself would take what it is offered.
 * nats.c does not decode percent signs in a URL's user and password: they go as they are written.
 */
#include "fanout/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SERVERS_MAX = 16,
    URLS_BYTES_MAX = 4096,
    DESCRIPTION_BYTES_MAX = 512,
    CREDS_BYTES_MAX = 64 * 1024,
    CONNECT_TRIES_MAX = 5,
};

void fanout_options_describe(const core_config *config, char *text, size_t text_size) {
    char url[DESCRIPTION_BYTES_MAX];
    core_config_redact_url(core_config_text(config, "nats.url"), url, sizeof url);
    (void)snprintf(text, text_size, "nats.url %s (%s)", url,
                   core_config_origin(config, "nats.url"));
}

/* False with an error when the file that `key` names cannot be read; true when there is no key. */
static bool file_readable(const core_config *config, const char *key, core_error *error) {
    const char *path = core_config_text(config, key);
    if (path == NULL || path[0] == '\0')
        return true;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "%s: cannot read '%s' (%s): %s; expected a PEM or credentials file "
                              "that this user may read",
                              key, path, core_config_origin(config, key), strerror(errno));
    (void)close(file);
    return true;
}

static bool key_is_set(const core_config *config, const char *key) {
    const char *text = core_config_text(config, key);
    return text != NULL && text[0] != '\0';
}

/* One or several URLs, separated by commas. */
static natsStatus options_servers(natsOptions *options, const core_config *config, bool *insists) {
    char urls[URLS_BYTES_MAX];
    const char *servers[SERVERS_MAX];
    int count = 0;
    const char *text = core_config_text(config, "nats.url");
    if (text == NULL || !core_slice_to_text(core_slice_text(text), urls, sizeof urls))
        return NATS_ADDRESS_MISSING;
    char *rest = urls;
    for (char *url = strsep(&rest, ","); url != NULL; url = strsep(&rest, ",")) {
        if (url[0] == '\0')
            continue;
        if (count == SERVERS_MAX)
            return NATS_INVALID_ARG;
        *insists = *insists || strncmp(url, "tls://", strlen("tls://")) == 0;
        servers[count++] = url;
    }
    return count == 0 ? NATS_ADDRESS_MISSING : natsOptions_SetServers(options, servers, count);
}

static natsStatus options_tls(natsOptions *options, const core_config *config, bool insists) {
    natsStatus status = NATS_OK;
    bool has_ca = key_is_set(config, "nats.tls_ca"), has_cert = key_is_set(config, "nats.tls_cert");
    if (insists || has_ca || has_cert || core_config_bool(config, "nats.tls_required"))
        status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && has_ca)
        status =
            natsOptions_LoadCATrustedCertificates(options, core_config_text(config, "nats.tls_ca"));
    if (status == NATS_OK && has_cert)
        status =
            natsOptions_LoadCertificatesChain(options, core_config_text(config, "nats.tls_cert"),
                                              core_config_text(config, "nats.tls_key"));
    return status;
}

/* A credentials file holds a JWT ("eyJ": base64url of a JSON object) and a user's seed ("SU"), each
 * on a line of its own. nats.c would find out while connecting and take it for a server's trouble.
 */
static bool creds_are_complete(const char *path) {
    bool has_jwt = false, has_seed = false;
    char *line = NULL;
    size_t size = 0, total = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    for (ssize_t length; total < CREDS_BYTES_MAX && (length = getline(&line, &size, file)) > 0;
         total += (size_t)length) {
        has_jwt = has_jwt || strncmp(line, "eyJ", 3) == 0;
        has_seed = has_seed || strncmp(line, "SU", 2) == 0;
    }
    if (line != NULL)
        explicit_bzero(line, size);
    free(line);
    (void)fclose(file);
    return has_jwt && has_seed;
}

static bool files_readable(const core_config *config, core_error *error) {
    static const char *const keys[] = {"nats.creds", "nats.tls_ca", "nats.tls_cert",
                                       "nats.tls_key"};
    for (size_t i = 0; i < CORE_COUNT_OF(keys); i++)
        if (!file_readable(config, keys[i], error))
            return false;
    if (key_is_set(config, "nats.creds") &&
        !creds_are_complete(core_config_text(config, "nats.creds")))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "nats.creds: '%s' (%s) holds no user JWT and seed; expected a .creds "
                              "file as nsc writes it",
                              core_config_text(config, "nats.creds"),
                              core_config_origin(config, "nats.creds"));
    if (key_is_set(config, "nats.tls_cert") != key_is_set(config, "nats.tls_key"))
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "nats.tls_cert and nats.tls_key belong together: %s is missing",
                              key_is_set(config, "nats.tls_key") ? "nats.tls_cert"
                                                                 : "nats.tls_key");
    return true;
}

natsOptions *fanout_options_new(const core_config *config, const char *name, core_error *error) {
    natsOptions *options = NULL;
    bool insists = false;
    if (!files_readable(config, error))
        return NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = options_servers(options, config, &insists);
    if (status == NATS_OK)
        status = options_tls(options, config, insists);
    if (status == NATS_OK && key_is_set(config, "nats.creds"))
        status = natsOptions_SetUserCredentialsFromFiles(
            options, core_config_text(config, "nats.creds"), NULL);
    if (status == NATS_OK)
        status = natsOptions_SetName(options, name);
    if (status == NATS_OK)
        status =
            natsOptions_SetTimeout(options, core_config_integer(config, "nats.connect_timeout"));
    if (status == NATS_OK)
        return options;
    char object[DESCRIPTION_BYTES_MAX];
    fanout_options_describe(config, object, sizeof object);
    (void)fanout_status_error(error, status, 0, "use", object);
    error->code = CORE_ERROR_CONFIG;
    natsOptions_Destroy(options);
    return NULL;
}

natsStatus fanout_connect(natsConnection **nats, natsOptions *options) {
    natsStatus status = natsConnection_Connect(nats, options);
    for (int tries = 1; status == NATS_CONNECTION_AUTH_FAILED && tries < CONNECT_TRIES_MAX; tries++)
        status = natsConnection_Connect(nats, options);
    return status;
}
