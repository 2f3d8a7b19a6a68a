/* `walcast token`: a token signed with auth.jwt_secret, alone on standard output.
 *
 * role, sub, iat and exp come from their own options and cannot be given as --claim, so that what
 * the options say is what the token says. */
#include "auth/auth.h"
#include "cli/command.h"

#define TTL_DEFAULT     "1h"
#define TTL_MAX_MS      (INT64_C(3650) * 24 * 3600 * CORE_MS_PER_S)
#define CLAIMS_TEXT_MAX AUTH_TOKEN_MAX

static bool claim_is_reserved(core_slice name) {
    static const char *const reserved[] = {"role", "sub", "iat", "exp"};
    for (size_t i = 0; i < CORE_COUNT_OF(reserved); i++)
        if (core_slice_is(name, reserved[i]))
            return true;
    return false;
}

/* "name":value of one --claim. */
static bool claim_write(const char *text, core_json_writer *writer, core_error *error) {
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return core_error_set(error, CORE_ERROR_INPUT, "--claim %s: expected name=value", text);
    core_slice name = core_slice_make(text, (size_t)(equals - text));
    core_slice value = core_slice_text(equals + 1);
    if (claim_is_reserved(name))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "--claim %.*s: comes from its own option (--role, --sub, --ttl)",
                              CORE_SLICE_ARGS(name));
    if (!core_utf8_valid(name) || !core_utf8_valid(value))
        return core_error_set(error, CORE_ERROR_INPUT, "--claim: not valid UTF-8");
    core_json_key(writer, name);
    if (core_json_valid(value))
        core_json_raw(writer, value);
    else
        core_json_string(writer, value);
    return true;
}

static bool claim_is_given(const cli_arguments *arguments, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < arguments->count; i++) {
        const cli_given *given = &arguments->given[i];
        if (strcmp(given->option->name, "--claim") == 0 &&
            strncmp(given->value, name, length) == 0 && given->value[length] == '=')
            return true;
    }
    return false;
}

/* Issuer and audience as this server wants them, unless they are given: else it would refuse its
 * own tokens. */
static void origin_write(const cli_arguments *arguments, const core_config *config,
                         core_json_writer *writer) {
    const char *issuer = core_config_text(config, "auth.issuer");
    if (issuer != NULL && !claim_is_given(arguments, "iss")) {
        core_json_key_text(writer, "iss");
        core_json_text(writer, issuer);
    }
    if (core_config_list_count(config, "auth.audience") > 0 && !claim_is_given(arguments, "aud")) {
        core_json_key_text(writer, "aud");
        core_json_text(writer, core_config_list_item(config, "auth.audience", 0));
    }
}

static bool claims_write(const cli_arguments *arguments, const core_config *config,
                         core_buffer *out, core_error *error) {
    core_json_writer writer = core_json_writer_make(out);
    origin_write(arguments, config, &writer);
    for (size_t i = 0; i < arguments->count; i++) {
        const cli_given *given = &arguments->given[i];
        if (strcmp(given->option->name, "--claim") == 0 &&
            !claim_write(given->value, &writer, error))
            return false;
    }
    return core_buffer_ok(out) ||
           core_error_set(error, CORE_ERROR_INPUT, "the claims are larger than %d bytes",
                          CLAIMS_TEXT_MAX);
}

static bool ttl_read(const cli_arguments *arguments, int64_t *ttl_s, core_error *error) {
    const char *text = cli_value(arguments, "--ttl");
    int64_t ttl_ms = 0;
    if (!core_config_number_read(CORE_CONFIG_DURATION, text != NULL ? text : TTL_DEFAULT,
                                 CORE_MS_PER_S, TTL_MAX_MS, &ttl_ms, error))
        return core_error_wrap(error, "--ttl %s", text);
    *ttl_s = ttl_ms / CORE_MS_PER_S;
    return true;
}

static cli_exit token_print(const cli_arguments *arguments, const core_config *config,
                            int64_t ttl_s, core_slice claims) {
    core_buffer token;
    core_error error;
    core_buffer_init(&token, 2 * AUTH_TOKEN_MAX);
    int64_t now_s = core_clock_wall_us(core_clock_system()) / CORE_US_PER_S;
    cli_exit result;
    if (auth_token_sign(config, cli_value(arguments, "--role"), cli_value(arguments, "--sub"),
                        now_s, now_s + ttl_s, claims, &token, &error)) {
        (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&token)));
        result = cli_output_finish();
    } else if (error.code == CORE_ERROR_INPUT) {
        result = cli_usage_fail("token", &error);
    } else {
        result = cli_fail(&error);
    }
    core_buffer_fini(&token);
    return result;
}

/* Not for `revoke`, so the table cannot require it. */
static bool role_is_given(const cli_arguments *arguments, core_error *error) {
    return cli_value(arguments, "--role") != NULL ||
           core_error_set(error, CORE_ERROR_INPUT, "--role R is missing");
}

cli_exit cli_command_token(const cli_arguments *arguments) {
    core_buffer claims;
    core_error error;
    int64_t ttl_s = 0;
    cli_exit result;
    if (arguments->operand != NULL)
        return cli_command_token_revoke(arguments);
    core_config *config = cli_config_load(arguments);
    if (config == NULL)
        return CLI_USAGE;
    core_buffer_init(&claims, CLAIMS_TEXT_MAX);
    if (!role_is_given(arguments, &error))
        result = cli_usage_fail("token", &error);
    else if (claims_write(arguments, config, &claims, &error) &&
             ttl_read(arguments, &ttl_s, &error))
        result = token_print(arguments, config, ttl_s, core_buffer_slice(&claims));
    else
        result = cli_usage_fail("token", &error);
    core_buffer_fini(&claims);
    core_config_free(config);
    return result;
}
