/* Prints standard input with each ${secret:NAME} replaced by the secret of the project that the
 * one argument names, as a room that uses secrets would; or, on standard error, why it cannot, and
 * ends with 1. Configuration comes from the environment. */
#include "auth/auth.h"
#include "fanout/fanout.h"

#include <stdio.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

static int fail(const char *text) {
    (void)fprintf(stderr, "probe: %s\n", text);
    return 1;
}

static int expand(auth_secrets *secrets, const char *project) {
    static uint8_t text[TEXT_MAX];
    core_buffer out;
    core_error error;
    size_t length = fread(text, 1, sizeof text, stdin);
    core_buffer_init(&out, TEXT_MAX);
    bool ok = auth_secrets_expand(secrets, project, core_slice_make(text, length), &out, &error);
    if (ok)
        (void)fwrite(out.data, 1, out.length, stdout);
    auth_secrets_wipe(&out);
    return ok ? 0 : fail(error.text);
}

int main(int argc, char **argv) {
    core_error error;
    core_config *config = core_config_load("/dev/null", stderr);
    core_log *log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (config == NULL || log == NULL || argc != 2)
        return fail("no configuration, or not one argument");
    fanout_connection *connection = fanout_connection_new(config, "probe", log, NULL, &error);
    auth_secrets *secrets =
        connection != NULL ? auth_secrets_new(connection, config, &error) : NULL;
    int result = secrets != NULL ? expand(secrets, argv[1]) : fail(error.text);
    auth_secrets_free(secrets);
    if (connection != NULL)
        fanout_connection_free(connection);
    core_log_free(log);
    core_config_free(config);
    return result;
}
