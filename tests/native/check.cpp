// The native sources under a sanitizer: compiled into this program, so that every line is watched.
// Run by `make sanitize`; exits with 1 at the first check that fails.

#include "../../src/tauten/native/tauten.cpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#define CHECK(what)                                                          \
    do {                                                                     \
        if (!(what)) {                                                       \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);  \
            std::exit(1);                                                    \
        }                                                                    \
    } while (0)

constexpr int THREADS = 4;

// Runs `work(thread)` on several threads at once.
template <class F>
void together(F work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < THREADS; i++) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
}

void library_knows_itself() {
    CHECK(tauten_abi() > 0);
    CHECK(tauten_lanes() == 4 || tauten_lanes() == 8 || tauten_lanes() == 16);
    CHECK(tauten_peak(0.001) > 0);
}

void draws_are_the_same_on_every_thread() {
    constexpr int64_t rows = 3, blocks = 37;  // not a multiple of any vector
    std::vector<uint32_t> alone(rows * blocks * 4);
    tauten_words(1, 2, 3, rows, blocks, alone.data());
    together([&](int) {
        std::vector<uint32_t> own(rows * blocks * 4);
        tauten_words(1, 2, 3, rows, blocks, own.data());
        CHECK(own == alone);
    });
}

// A table of 50 rows, fewer than the larger batches, and one member's arrays, gone as soon as the member is made.
struct Table {
    std::vector<float> inputs, targets;
    std::vector<int64_t> rows;

    Table(int64_t n, const tauten_plan& plan) : inputs(n * plan.inputs), targets(n * plan.outputs), rows(n) {
        std::vector<uint32_t> drawn(n * 4 * ((plan.inputs + 3) / 4));
        tauten_words(7, 0, 0, n, (plan.inputs + 3) / 4, drawn.data());
        for (int64_t i = 0; i < n * plan.inputs; i++) inputs[i] = (float)drawn[i] * 0x1p-31f - 1;
        for (int64_t i = 0; i < n; i++) {
            const int64_t k = inputs[i * plan.inputs] > 0 ? plan.outputs - 1 : 0;
            targets[i * plan.outputs + k] = 1;
            rows[i] = n - 1 - i;
        }
    }

    tauten_data data() const { return {inputs.data(), targets.data(), rows.data(), (int64_t)rows.size()}; }
};

struct Case {
    int64_t inputs, width, depth, outputs, batch;
    bool everything, norm;
};

// Odd sizes, sizes that are whole vectors, and sizes of one; every technique together, and none.
const std::vector<Case> CASES = {
    {1, 1, 1, 1, 1, false, false},  {3, 5, 1, 2, 16, false, true},     {30, 33, 2, 3, 20, true, true},
    {64, 64, 3, 10, 128, true, true}, {17, 31, 2, 4, 50, true, false}, {5, 256, 2, 1, 37, true, true},
};

tauten_plan planned(const Case& c, int64_t seed) {
    tauten_plan plan{};
    plan.inputs = c.inputs, plan.width = c.width, plan.depth = c.depth, plan.outputs = c.outputs, plan.batch = c.batch;
    plan.activation = seed % 4, plan.skip = seed % 2, plan.classification = c.outputs > 1, plan.adam = seed % 3 > 0;
    plan.cosine = seed % 2, plan.length = 40, plan.seed = (uint64_t)seed << 40 | 5, plan.learning_rate = 0.01;
    plan.momentum = 0.9f, plan.order_site = 1, plan.batch_norm = c.norm ? 0.1f : 0;
    if (!c.everything) return plan;
    plan.input_noise = plan.label_smoothing = plan.mixup = 0.1f, plan.noise_site = 2, plan.partner_site = 3;
    plan.a_normal_site = 4, plan.a_accept_site = 5, plan.a_boost_site = 6;
    plan.b_normal_site = 7, plan.b_accept_site = 8, plan.b_boost_site = 9;
    plan.l1 = plan.l2 = 1e-4f, plan.weight_decay = 0.01f, plan.ema = 0.9f;
    plan.max_norm = 2, plan.clip_norm = 1, plan.sam = seed % 2 ? 0.05f : 0;
    return plan;
}

Member* made(const Case& c, int64_t seed) {
    tauten_plan plan = planned(c, seed);
    const std::vector<uint32_t> sites(c.depth + 1, 20);
    const std::vector<float> dropout(c.depth, 0.3f), class_weights(c.outputs, 1.5f);
    plan.weight_sites = plan.bias_sites = plan.dropout_sites = sites.data();
    if (c.everything) plan.dropout = dropout.data(), plan.class_weights = class_weights.data();
    return tauten_new(&plan);
}

// A member for each case and seed with its table, job and results.
struct Crowd {
    std::vector<Table> tables;
    std::vector<tauten_data> data;
    std::vector<tauten_job> jobs;
    std::vector<std::vector<float>> out, weights;

    explicit Crowd(int64_t steps) {
        for (int64_t seed = 0; seed < 4; seed++)
            for (const Case& c : CASES) {
                tables.emplace_back(std::max<int64_t>(50, c.batch), planned(c, seed));
                out.emplace_back(tables.back().rows.size() * c.outputs);
                jobs.push_back({});
                jobs.back().member = made(c, seed), jobs.back().steps = steps;
            }
        for (const Table& table : tables) data.push_back(table.data());
        for (size_t i = 0; i < jobs.size(); i++) {
            jobs[i].data = &data[i], jobs[i].rows = data[i].rows, jobs[i].n = data[i].n, jobs[i].out = out[i].data();
        }
    }
    Crowd(const Crowd&) = delete;
    ~Crowd() {
        for (tauten_job& job : jobs) tauten_free(job.member);
    }

    tauten_queue queue() { return {jobs.data(), (int64_t)jobs.size(), 0, 0, 0}; }

    void read() {
        for (tauten_job& job : jobs) {
            weights.emplace_back(tauten_size(job.member));
            tauten_read(job.member, 1, weights.back().data());
        }
    }
};

void members_train_the_same_on_many_threads_as_on_one() {
    Crowd alone(12), crowd(12);
    tauten_queue one = alone.queue(), many = crowd.queue();
    CHECK(tauten_work(&one) == 0);
    together([&](int) { CHECK(tauten_work(&many) == 0); });
    alone.read(), crowd.read();
    CHECK(one.done == many.done && one.done >= 12 * one.size);
    CHECK(alone.out == crowd.out && alone.weights == crowd.weights);
    for (size_t i = 0; i < alone.jobs.size(); i++) {
        CHECK(std::isfinite(alone.jobs[i].loss) && alone.jobs[i].loss == crowd.jobs[i].loss);
        for (float x : alone.out[i]) CHECK(std::isfinite(x));
    }
}

void weights_come_back_as_they_went_in() {
    Crowd crowd(0);
    crowd.read();
    for (size_t i = 0; i < crowd.jobs.size(); i++) {
        std::vector<float> own = crowd.weights[i], back(own.size());
        for (float& x : own) x += 1;
        tauten_write(crowd.jobs[i].member, own.data());
        tauten_read(crowd.jobs[i].member, 0, back.data());
        CHECK(own == back);
    }
}

void a_queue_stops_when_told() {
    Crowd crowd(1 << 30);
    for (tauten_job& job : crowd.jobs) job.last = 1;
    tauten_queue queue = crowd.queue();
    together([&](int i) {
        if (i > 0) {
            CHECK(tauten_work(&queue) == 0);
        } else {
            while (__atomic_load_n(&queue.done, __ATOMIC_RELAXED) < 20) std::this_thread::yield();
            __atomic_store_n(&queue.stop, 1, __ATOMIC_RELAXED);
        }
    });
    CHECK(queue.done >= 20);
}

int main() {
    library_knows_itself();
    draws_are_the_same_on_every_thread();
    members_train_the_same_on_many_threads_as_on_one();
    weights_come_back_as_they_went_in();
    a_queue_stops_when_told();
    std::puts("all checks passed");
}
