/* See job_mailbox.h. */
#include "triggers/job_mailbox.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool triggers_job_mailbox_init(triggers_job_mailbox *mailbox, core_error *error) {
    *mailbox = (triggers_job_mailbox){.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    mailbox->last = &mailbox->first;
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    return mailbox->wake_fd >= 0 ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no descriptor for the jobs' mailbox");
}

void triggers_job_mailbox_fini(triggers_job_mailbox *mailbox) {
    assert(mailbox->first == NULL);
    (void)pthread_mutex_destroy(&mailbox->lock);
    if (mailbox->wake_fd >= 0)
        (void)close(mailbox->wake_fd);
}

static bool mailbox_put(triggers_job_mailbox *mailbox, triggers_job_mail *mail, size_t bytes) {
    if (mail == NULL)
        return false;
    (void)pthread_mutex_lock(&mailbox->lock);
    bool room = !mailbox->closed && mailbox->count < TRIGGERS_JOB_MAILS_MAX &&
                bytes <= TRIGGERS_JOB_MAIL_BYTES_MAX - mailbox->bytes;
    if (room) {
        *mailbox->last = mail;
        mailbox->last = &mail->next;
        mailbox->count++;
        mailbox->bytes += bytes;
    }
    (void)pthread_mutex_unlock(&mailbox->lock);
    if (room)
        core_wake_set(mailbox->wake_fd);
    else
        free(mail);
    return room;
}

bool triggers_job_mailbox_word(triggers_job_mailbox *mailbox, const char *subject,
                               const char *reply, core_slice payload) {
    core_slice subject_text = core_slice_text(subject), reply_text = core_slice_text(reply);
    size_t bytes = subject_text.length + reply_text.length + payload.length;
    triggers_job_mail *mail = calloc(1, sizeof *mail + bytes);
    if (mail != NULL) {
        uint8_t *room = mail->texts;
        mail->subject = core_slice_keep(&room, subject_text);
        mail->reply = core_slice_keep(&room, reply_text);
        mail->payload = core_slice_keep(&room, payload);
    }
    return mailbox_put(mailbox, mail, bytes);
}

bool triggers_job_mailbox_http(triggers_job_mailbox *mailbox, core_route_reply *reply) {
    triggers_job_mail *mail = calloc(1, sizeof *mail);
    if (mail != NULL)
        mail->http = reply;
    return mailbox_put(mailbox, mail, 0);
}

triggers_job_mail *triggers_job_mailbox_take(triggers_job_mailbox *mailbox) {
    core_wake_clear(mailbox->wake_fd);
    (void)pthread_mutex_lock(&mailbox->lock);
    triggers_job_mail *all = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->count = mailbox->bytes = 0;
    (void)pthread_mutex_unlock(&mailbox->lock);
    return all;
}

void triggers_job_mailbox_close(triggers_job_mailbox *mailbox) {
    (void)pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    (void)pthread_mutex_unlock(&mailbox->lock);
}
