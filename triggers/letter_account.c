/* See letter_account.h. */
#include "triggers/letter_account.h"

#include <stdlib.h>

enum {
    AROUND_LETTER = 128, /* its subject and headers, and what the stream writes beside them */
    FIRST_PROJECTS = 16,
    DOWN_TO_EIGHTHS = 7,
    EIGHTHS = 8,
};

typedef struct {
    uint8_t *name;
    size_t name_length;
    uint64_t bytes, excess; /* excess: that is still to go */
    size_t taken;
} account_project;

struct triggers_letter_account {
    core_slice own;
    uint64_t share_bytes;
    account_project *projects; /* sorted by name */
    size_t count, capacity;
};

triggers_letter_account *triggers_letter_account_new(core_slice own, uint64_t share_bytes,
                                                     core_error *error) {
    triggers_letter_account *account = calloc(1, sizeof *account);
    if (account == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory to count dead letters");
        return NULL;
    }
    account->own = own;
    account->share_bytes = share_bytes;
    return account;
}

void triggers_letter_account_free(triggers_letter_account *account) {
    if (account == NULL)
        return;
    for (size_t i = 0; i < account->count; i++)
        free(account->projects[i].name);
    free(account->projects);
    free(account);
}

static core_slice project_of(const triggers_letter_account *account, core_slice bytes) {
    triggers_letter letter;
    triggers_task task;
    core_error ignored;
    return triggers_letter_read(bytes, &letter, &ignored) &&
                   triggers_task_read(letter.task, &task, &ignored)
               ? task.project
               : account->own;
}

static int name_compare(const account_project *project, core_slice name) {
    size_t length = project->name_length < name.length ? project->name_length : name.length;
    int order = length > 0 ? memcmp(project->name, name.data, length) : 0;
    return order != 0 ? order
                      : (project->name_length > name.length) - (project->name_length < name.length);
}

/* Where it is, or would be. */
static size_t place_of(const triggers_letter_account *account, core_slice name, bool *is_there) {
    size_t low = 0, high = account->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (name_compare(&account->projects[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *is_there = low < account->count && name_compare(&account->projects[low], name) == 0;
    return low;
}

static bool project_insert(triggers_letter_account *account, core_slice name, size_t place) {
    if (account->count == account->capacity) {
        size_t capacity = account->capacity > 0 ? account->capacity * 2 : FIRST_PROJECTS;
        account_project *projects = realloc(account->projects, capacity * sizeof *projects);
        if (projects == NULL)
            return false;
        account->projects = projects;
        account->capacity = capacity;
    }
    uint8_t *copy = malloc(name.length + 1);
    if (copy == NULL)
        return false;
    if (name.length > 0)
        memcpy(copy, name.data, name.length);
    memmove(account->projects + place + 1, account->projects + place,
            (account->count - place) * sizeof *account->projects);
    account->projects[place] = (account_project){.name = copy, .name_length = name.length};
    account->count++;
    return true;
}

bool triggers_letter_account_count(triggers_letter_account *account, core_slice letter) {
    core_slice name = project_of(account, letter);
    bool is_there;
    size_t place = place_of(account, name, &is_there);
    if (!is_there && !project_insert(account, name, place))
        return false;
    account_project *project = &account->projects[place];
    project->bytes += letter.length + AROUND_LETTER;
    project->excess = project->bytes > account->share_bytes
                          ? project->bytes - account->share_bytes / EIGHTHS * DOWN_TO_EIGHTHS
                          : 0;
    return true;
}

size_t triggers_letter_account_over(const triggers_letter_account *account) {
    size_t over = 0;
    for (size_t i = 0; i < account->count; i++)
        over += account->projects[i].excess > 0;
    return over;
}

bool triggers_letter_account_takes(triggers_letter_account *account, core_slice letter) {
    bool is_there;
    size_t place = place_of(account, project_of(account, letter), &is_there);
    uint64_t bytes = letter.length + AROUND_LETTER;
    if (!is_there || account->projects[place].excess == 0)
        return false;
    account_project *project = &account->projects[place];
    project->excess -= bytes < project->excess ? bytes : project->excess;
    project->taken++;
    return true;
}

void triggers_letter_account_each(const triggers_letter_account *account,
                                  triggers_letter_account_tell tell, void *context) {
    for (size_t i = 0; i < account->count; i++) {
        const account_project *project = &account->projects[i];
        if (project->taken > 0 &&
            !tell(context, core_slice_make(project->name, project->name_length), project->taken))
            return;
    }
}
