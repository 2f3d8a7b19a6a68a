/* What the configuration says of tokens, in words: for the log at the start, and for `walcast
 * check`. */
#include "auth/issuer.h"

#include <string.h>

static const char *secret_of(const core_config *config) {
    return core_config_text(config, "auth.jwt_secret");
}

static const char *url_of(const core_config *config) {
    return core_config_text(config, "auth.jwks_url");
}

static bool nothing_is_set(const core_config *config) {
    return secret_of(config) == NULL && url_of(config) == NULL;
}

static bool secret_is_short(const core_config *config) {
    return secret_of(config) != NULL && strlen(secret_of(config)) < 32;
}

static bool audience_is_missing(const core_config *config) {
    return url_of(config) != NULL && core_config_list_count(config, "auth.audience") == 0;
}

static bool url_is_plain(const core_config *config) {
    static const char *const own[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    if (url_of(config) == NULL || strncmp(url_of(config), "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < CORE_COUNT_OF(own); i++) {
        size_t length = strlen(own[i]);
        if (strncmp(url_of(config), own[i], length) == 0 &&
            strchr(":/", url_of(config)[length]) != NULL)
            return false;
    }
    return true;
}

static const struct {
    bool (*holds)(const core_config *config);
    const char *text;
} warnings[] = {
    {nothing_is_set,
     "neither auth.jwt_secret nor auth.jwks_url is set: no tokens are accepted, only API keys"},
    {secret_is_short, "auth.jwt_secret has less than the 32 bytes that RFC 7518 asks for"},
    {audience_is_missing, "auth.jwks_url is set without auth.audience: tokens that the provider "
                          "made for any other application are accepted too"},
    {url_is_plain, "auth.jwks_url is not https: who can change what comes from there can sign "
                   "tokens"},
};

const char *auth_tokens_warning(const core_config *config, size_t index) {
    for (size_t i = 0; i < CORE_COUNT_OF(warnings); i++)
        if (warnings[i].holds(config) && index-- == 0)
            return warnings[i].text;
    return NULL;
}

void auth_tokens_warn(const core_config *config, core_log *log) {
    const char *text;
    for (size_t i = 0; (text = auth_tokens_warning(config, i)) != NULL; i++)
        core_log_write(log, CORE_LOG_WARN, "auth", text, NULL, 0);
}

bool auth_tokens_check(const core_config *config, bool ask, FILE *report) {
    if (nothing_is_set(config))
        (void)fprintf(report, "no tokens are accepted, only API keys\n");
    if (secret_of(config) != NULL)
        (void)fprintf(report, "HS256, HS384 and HS512 tokens, signed with auth.jwt_secret\n");
    if (url_of(config) == NULL)
        return true;
    (void)fprintf(report, "RS256, RS384, RS512, ES256, ES384, ES512 and EdDSA tokens, signed with "
                          "a key of auth.jwks_url\n");
    return !ask || auth_issuer_check(config, report);
}
