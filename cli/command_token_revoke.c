/* `walcast token revoke JTI`: a token that counts no more, told to every process by the bucket of
 * keys. */
#include "auth/auth.h"
#include "cli/audit.h"
#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TTL_DEFAULT "365d"
#define TTL_MAX_MS  (INT64_C(36500) * 24 * 3600 * CORE_MS_PER_S)

static bool arguments_check(const cli_arguments *arguments, int64_t *ttl_ms, core_error *error) {
    const char *text = cli_value(arguments, "--ttl");
    text = text != NULL ? text : TTL_DEFAULT;
    if (strcmp(arguments->operand, "revoke") != 0)
        return core_error_set(error, CORE_ERROR_INPUT, "expected revoke, not %s",
                              arguments->operand);
    if (arguments->second_operand == NULL)
        return core_error_set(error, CORE_ERROR_INPUT, "revoke what? the token's jti");
    for (size_t i = 0; i < arguments->count; i++) {
        const char *name = arguments->given[i].option->name;
        if (strcmp(name, "--ttl") != 0 && strcmp(name, "--config") != 0)
            return core_error_set(error, CORE_ERROR_INPUT, "revoke takes no %s", name);
    }
    return core_config_number_read(CORE_CONFIG_DURATION, text, CORE_MS_PER_S, TTL_MAX_MS, ttl_ms,
                                   error) ||
           core_error_wrap(error, "--ttl %s", text);
}

static cli_exit revoke_print(const char *jti, int64_t until_s) {
    char until[CORE_CLOCK_TEXT_SIZE];
    core_clock_format(until_s * CORE_US_PER_S, until);
    (void)printf("Tokens with jti %s are revoked until %s.\n", jti, until);
    return cli_output_finish();
}

static cli_exit jti_revoke(const cli_arguments *arguments, const core_config *config, core_log *log,
                           int64_t ttl_ms) {
    const core_clock *clock = core_clock_system();
    const auth_verifier_spec spec = {.config = config, .clock = clock, .log = log};
    core_error error = {.text = ""};
    int64_t until_s = core_clock_wall_us(clock) / CORE_US_PER_S + ttl_ms / CORE_MS_PER_S;
    auth_key_store *store = auth_key_store_new(&spec, &error);
    bool done =
        store != NULL && auth_token_revoke(store, arguments->second_operand, until_s, &error);
    auth_key_store_free(store);
    const auth_act act = {.act = "token.revoked", .object = arguments->second_operand};
    if (done)
        cli_audit(config, NULL, &act);
    if (done)
        return revoke_print(arguments->second_operand, until_s);
    return error.code == CORE_ERROR_INPUT ? cli_usage_fail("token", &error) : cli_fail(&error);
}

cli_exit cli_command_token_revoke(const cli_arguments *arguments) {
    core_error error = {.text = ""};
    int64_t ttl_ms = 0;
    if (!arguments_check(arguments, &ttl_ms, &error))
        return cli_usage_fail("token", &error);
    core_config *config = cli_config_load(arguments);
    if (config == NULL)
        return CLI_USAGE;
    core_log *log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    cli_exit result = jti_revoke(arguments, config, log, ttl_ms);
    core_log_free(log);
    core_config_free(config);
    return result;
}
