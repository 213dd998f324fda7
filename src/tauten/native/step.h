// One training step of one member, and its evaluation.
#pragma once

#include <numeric>

#include "backward.h"
#include "losses.h"

namespace tauten {

class Step {
   public:
    Step(Member& member, const tauten_data& data, Space& space)
        : member_(member), plan_(member.plan), data_(data), space_(space), batch_((int)plan_.batch), columns_(padded(batch_)) {
        space_.fit(member, columns_);
        Space::grow(space_.gradients, member.layout.parameters);
        // What another member left there would count into norms where this one has padding.
        std::fill_n(space_.gradients.data(), member.layout.parameters, 0.0f);
        if (plan_.sam > 0) Space::grow(space_.moved, member.layout.parameters);
    }

    // Returns the loss before the step.
    double run() {
        gather();
        float* w = member_.w.data();
        const Optimizer optimizer(member_);
        const bool together = plan_.sam > 0 || plan_.clip_norm > 0;
        double loss = pass(w, w, together ? nullptr : &optimizer);
        if (plan_.sam > 0) {
            ascend();
            pass(space_.moved.data(), nullptr, plan_.clip_norm > 0 ? nullptr : &optimizer);
        }
        if (plan_.clip_norm > 0) {
            clip();
            for (const Layer& layer : member_.layout.layers) {
                apply(optimizer, layer.weight, layer.weights(), true);
                for (int64_t at : {layer.bias, layer.scale, layer.shift})
                    if (at >= 0) apply(optimizer, at, padded(layer.out), false);
            }
        }
        if (plan_.max_norm > 0) limit();
        if (plan_.ema > 0) average();
        member_.step++;
        return loss;
    }

   private:
    double pass(const float* w, float* running, const Optimizer* optimizer) {
        forward(member_, w, running, space_, columns_, batch_, true);
        double loss = Losses{plan_, space_, columns_, batch_}.run();
        if (plan_.l2 > 0)
            for (const Layer& layer : member_.layout.layers)
                loss += (double)plan_.l2 * squares(w + layer.weight, layer.weights());
        Backward{member_, w, space_, optimizer, columns_, batch_}.run();
        return loss;
    }

    // The batch: rows in the order of an endless stream of permutations, changed by the techniques at the data.
    void gather() {
        uint32_t* rows = space_.rows.data();
        for (int b = 0; b < batch_; b++) {
            const int64_t position = member_.step * batch_ + b, lap = position / data_.n;
            if (lap != member_.lap) shuffle(lap);
            rows[b] = (uint32_t)data_.rows[member_.order[position % data_.n]];
        }
        const bool mix = plan_.mixup > 0;
        uint32_t* partner = rows + columns_;
        float* share = reinterpret_cast<float*>(rows + 2 * columns_);
        if (mix) shares(partner, share, rows + 3 * columns_);
        const int64_t inputs = plan_.inputs, next = padded((int)inputs), outputs = plan_.outputs;
        float* staging = space_.staging.data();
        for (int b = 0; b < columns_; b++) {
            float* to = staging + b * next;
            if (b >= batch_) {
                std::fill(to, to + next, 0.0f);
                for (int64_t k = 0; k < outputs; k++) space_.targets.data()[k * columns_ + b] = 0;
                continue;
            }
            if (b + AHEAD < batch_) fetch(data_.inputs + (int64_t)rows[b + AHEAD] * inputs, inputs);
            const float *x = data_.inputs + (int64_t)rows[b] * inputs, *y = data_.targets + (int64_t)rows[b] * outputs;
            std::fill(to + inputs, to + next, 0.0f);
            float& weight = space_.weights.data()[b] = weight_of(rows[b]);
            if (mix) {
                const int64_t other = rows[partner[b]];
                float s = share[b];
                const float *x2 = data_.inputs + other * inputs, *y2 = data_.targets + other * outputs;
                for (int64_t i = 0; i < inputs; i++) to[i] = s * x[i] + (1 - s) * x2[i];
                if (data_.weights) {
                    // What is mixed are losses, so a row's target counts as much as its weight.
                    const float own = s * weight;
                    weight = own + (1 - s) * weight_of(other);
                    s = own / std::max(weight, 1e-30f);
                }
                for (int64_t k = 0; k < outputs; k++) target(k, b, s * y[k] + (1 - s) * y2[k]);
            } else {
                std::memcpy(to, x, inputs * sizeof(float));
                for (int64_t k = 0; k < outputs; k++) target(k, b, y[k]);
            }
        }
        const Panels<float> in = space_.panels(space_.activations[0]);
        to_panels(staging, next, (int)inputs, columns_, in);
        if (plan_.input_noise > 0) noise(in);
    }

    static constexpr int AHEAD = 8;  // rows asked for before they are needed

    static void fetch(const float* from, int64_t n) {
        for (int64_t i = 0; i < n; i += PAD) __builtin_prefetch(from + i);
    }

    float weight_of(int64_t row) const { return data_.weights ? data_.weights[row] : 1.0f; }

    void target(int64_t k, int b, float y) {
        const float share = plan_.label_smoothing, classes = (float)plan_.outputs;
        if (share > 0) y = (1 - share) * y + (plan_.label_smoothing_others ? share * (1 - y) / (classes - 1) : share / classes);
        if (!member_.class_weights.empty()) y *= member_.class_weights[k];
        if (plan_.loss == CROSS_ENTROPY) y *= space_.weights.data()[b];
        space_.targets.data()[k * columns_ + b] = y;
    }

    void shuffle(int64_t lap) {
        const In draws(DRAWS);
        member_.lap = lap;
        member_.order.resize(data_.n);
        member_.spare.resize(3 * data_.n);
        permutation({member_.key(), (uint32_t)lap, plan_.order_site}, data_.n, member_.order.data(), member_.spare.data());
    }

    // Mixup's partners, and each row's share: Beta(alpha, alpha) from two Gamma draws.
    void shares(uint32_t* partner, float* share, uint32_t* spare) {
        const In draws(DRAWS);
        permutation(member_.place(plan_.partner_site), batch_, partner, spare);
        const uint32_t step = (uint32_t)member_.step;
        for (int b = 0; b < columns_; b += LANES) {
            const V log_b = log_gamma(plan_.mixup, member_.key(), step, {plan_.b_normal_site, plan_.b_accept_site, plan_.b_boost_site}, b);
            const V log_a = log_gamma(plan_.mixup, member_.key(), step, {plan_.a_normal_site, plan_.a_accept_site, plan_.a_boost_site}, b);
            store(share + b, 1.0f / (1.0f + exponential(log_b - log_a)));
        }
    }

    void noise(Panels<float> in) {
        const In draws(DRAWS);
        const Place place = member_.place(plan_.noise_site);
        const V sigma = splat(plan_.input_noise);
        for (int f = 0; f < plan_.inputs; f += 4)
            for (int c = 0; c < columns_; c += LANES) {
                const Block block = place.block(f / 4, c);
                const Pair first = normals(block.word[0], block.word[1]), second = normals(block.word[2], block.word[3]);
                const V drawn[4] = {first.a, first.b, second.a, second.b};
                for (int i = 0; i < 4 && f + i < plan_.inputs; i++) {
                    float* at = in.at(c / WIDTH, f + i) + c % WIDTH;
                    store(at, fma(sigma, drawn[i], load(at)));
                }
            }
    }

    static double squares(const float* x, int64_t n) {
        double total = 0;
        for (int64_t begin = 0; begin < n; begin += 4096) {
            V part{};
            for (int64_t i = begin; i < std::min(begin + 4096, n); i += LANES) part = fma(load(x + i), load(x + i), part);
            total += sum(part);
        }
        return total;
    }

    float norm() const { return (float)std::sqrt(squares(space_.gradients.data(), member_.layout.parameters)); }

    // To where the loss is locally worst (sharpness-aware minimization).
    void ascend() {
        const V reach = splat(plan_.sam / (norm() + 1e-12f));
        for (int64_t i = 0; i < member_.layout.parameters; i += LANES)
            store(space_.moved.data() + i, fma(load(space_.gradients.data() + i), reach, load(member_.w.data() + i)));
    }

    void clip() {
        const float scale = plan_.clip_norm / (norm() + 1e-6f);
        if (scale >= 1) return;
        for (int64_t i = 0; i < member_.layout.parameters; i += LANES)
            store(space_.gradients.data() + i, load(space_.gradients.data() + i) * scale);
    }

    // Gradients that were kept, with the penalty's share in them already.
    void apply(const Optimizer& optimizer, int64_t at, int64_t n, bool kernel) {
        const In optimizing(OPTIMIZER);
        optimizer.run(at, n, space_.gradients.data() + at, nullptr, kernel);
    }

    // Every unit's incoming weights are scaled down to the largest norm allowed.
    void limit() {
        const In optimizing(OPTIMIZER);
        for (const Layer& layer : member_.layout.layers)
            for (int j = 0; j < layer.out; j += LANES) {
                float* w = member_.w.data() + layer.weight + j;
                V total{};
                for (int i = 0; i < layer.in; i++) total = fma(load(w + i * layer.next), load(w + i * layer.next), total);
                const V length = root(total), scale = pick(length > plan_.max_norm, plan_.max_norm / length, splat(1.0f));
                for (int i = 0; i < layer.in; i++) store(w + i * layer.next, load(w + i * layer.next) * scale);
            }
    }

    void average() {
        const In optimizing(OPTIMIZER);
        const float t = (float)member_.step, decay = std::min(plan_.ema, (1 + t) / (10 + t));
        float* a = member_.average.data();
        for (int64_t i = 0; i < member_.layout.total; i += LANES)
            store(a + i, fma(load(member_.w.data() + i) - load(a + i), splat(1 - decay), load(a + i)));
    }

    Member& member_;
    const tauten_plan& plan_;
    const tauten_data& data_;
    Space& space_;
    int batch_, columns_;
};

constexpr int EVALUATION_ROWS = 128;

// Outputs (n, K) of the delivered weights on rows of the inputs.
inline void evaluate(const Member& member, const tauten_data& data, Space& space, const int64_t* rows, int64_t n, float* out) {
    const tauten_plan& plan = member.plan;
    space.fit(member, EVALUATION_ROWS);
    const int64_t inputs = plan.inputs, next = padded((int)inputs);
    const Panels<float> in = space.panels(space.activations[0]), result = space.panels(space.out);
    for (int64_t begin = 0; begin < n; begin += EVALUATION_ROWS) {
        const int some = (int)std::min<int64_t>(EVALUATION_ROWS, n - begin), columns = padded(some);
        for (int b = 0; b < columns; b++) {
            float* to = space.staging.data() + b * next;
            if (b < some) std::memcpy(to, data.inputs + rows[begin + b] * inputs, inputs * sizeof(float));
            std::fill(b < some ? to + inputs : to, to + next, 0.0f);
        }
        to_panels(space.staging.data(), next, (int)inputs, columns, in);
        forward(member, member.delivered(), nullptr, space, columns, some, false);
        for (int b = 0; b < some; b++)
            for (int64_t k = 0; k < plan.outputs; k++) out[(begin + b) * plan.outputs + k] = result.at(b / WIDTH, k)[b % WIDTH];
    }
}

}  // namespace tauten
