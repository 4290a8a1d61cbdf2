/* SPDX-License-Identifier: Apache-2.0 */
#include "common/os/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct counts {
    struct loop *loop;
    int worked;
    int done;
    int posted;
    int timer;
};

static void work(void *arg)
{
    struct counts *c = arg;
    __atomic_add_fetch(&c->worked, 1, __ATOMIC_RELAXED);
}

static void done(void *arg)
{
    struct counts *c = arg;
    if (++c->done == 100)
        loop_stop(c->loop);
}

static void posted(void *arg)
{
    ((struct counts *)arg)->posted++;
}

static void fired(void *arg)
{
    struct counts *c = arg;
    c->timer++;
    loop_stop(c->loop);
}

static void every_job_comes_back_once_before_the_loop_ends(void **state)
{
    struct counts c = {.loop = loop_new(4)};
    (void)state;

    for (int i = 0; i < 100; i++)
        loop_work(c.loop, work, done, &c);
    loop_post(c.loop, posted, &c);
    loop_run(c.loop);

    assert_int_equal(c.worked, 100);
    assert_int_equal(c.done, 100);
    assert_int_equal(c.posted, 1);
    loop_free(c.loop);
}

static void a_timer_fires_once(void **state)
{
    struct counts c = {.loop = loop_new(1)};
    struct loop_timer *timer = loop_timer_new(c.loop, fired, &c);
    (void)state;

    loop_timer_start(timer, 5);
    loop_run(c.loop);

    assert_int_equal(c.timer, 1);
    loop_timer_free(timer);
    loop_free(c.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_comes_back_once_before_the_loop_ends),
        cmocka_unit_test(a_timer_fires_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
