// Two loaded programs beside each other: steps in turn, then on two threads at once, give what each gives alone, bit
// for bit. usage: programs_beside MODEL MODEL; where both are one file, the programs share the model.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "edge_asr.h"
#include "mutate.h"

namespace {

constexpr int kSteps = 24;
constexpr int kPasses = 6;

void must(edge_asr_status status, const edge_asr_error& error) {
  if (status == EDGE_ASR_OK) return;
  std::fprintf(stderr, "%s\n", error.message);
  std::exit(1);
}

struct Close {
  void operator()(edge_asr_program* program) const { edge_asr_program_close(program); }
};

class Voice {
 public:
  Voice(const edge_asr_model* model, std::uint64_t seed) : seed_(seed) {
    edge_asr_error error;
    edge_asr_program* program = nullptr;
    edge_asr_model_metadata(model, &about_);
    must(edge_asr_program_load(model, &program, &error), error);
    program_.reset(program);
  }

  // The outputs of step `number`, which begins a stream where it is 0.
  std::string step(int number) {
    fuzz::Chance chance(seed_ * 1'000 + static_cast<std::uint64_t>(number));
    std::vector<float> pcm(static_cast<std::size_t>(about_.chunk_samples));
    const float scale = chance.one_in(3) ? 1e-5F : 5e-4F;  // quiet chunks among loud ones, so that the gate has work
    for (float& sample : pcm) sample = (static_cast<float>(chance.below(2'001)) - 1'000.0F) * scale;
    edge_asr_error error;
    edge_asr_step result;
    if (number == 0) must(edge_asr_program_reset(program_.get(), &error), error);
    must(edge_asr_program_step(program_.get(), pcm.data(), about_.chunk_frames, 0.9F, number % 5 == 4, &result, &error),
         error);
    return bytes_of(result);
  }

  std::vector<std::string> alone() {
    std::vector<std::string> all;
    for (int number = 0; number < kSteps; ++number) all.push_back(step(number));
    return all;
  }

 private:
  std::string bytes_of(const edge_asr_step& result) const {
    const auto rows = static_cast<std::size_t>(about_.chunk_frames);
    const auto width = static_cast<std::size_t>(about_.vocabulary);
    std::string bytes(reinterpret_cast<const char*>(result.partial), rows * width * sizeof(float));
    bytes.append(reinterpret_cast<const char*>(result.keep), rows * sizeof(float));
    const auto resolved = static_cast<std::size_t>(result.rows);
    bytes.append(reinterpret_cast<const char*>(result.final), resolved * width * sizeof(float));
    bytes.append(reinterpret_cast<const char*>(result.index), resolved * sizeof(std::int64_t));
    return bytes + std::to_string(result.waiting);
  }

  std::uint64_t seed_;
  edge_asr_metadata about_{};
  std::unique_ptr<edge_asr_program, Close> program_;
};

std::shared_ptr<edge_asr_model> opened(const char* path) {
  edge_asr_error error;
  edge_asr_model* model = nullptr;
  must(edge_asr_model_open(path, &model, &error), error);
  return std::shared_ptr<edge_asr_model>(model, edge_asr_model_close);
}

void alike(const std::string& found, const std::string& expected, const char* how) {
  if (found == expected) return;
  std::fprintf(stderr, "programs disturb each other: %s\n", how);
  std::exit(1);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  edge_asr_error error;
  must(edge_asr_set_threads(1, nullptr, 0, &error), error);
  const std::string paths[]{arguments[1], arguments[2]};
  const std::shared_ptr<edge_asr_model> one = opened(arguments[1]);
  const std::shared_ptr<edge_asr_model> other = paths[0] == paths[1] ? one : opened(arguments[2]);
  Voice a(one.get(), 1), b(other.get(), 2);
  const auto a_alone = a.alone(), b_alone = b.alone();
  if (a_alone == b_alone) return 3;

  for (int number = 0; number < kSteps; ++number) {
    const auto at = static_cast<std::size_t>(number);
    alike(a.step(number), a_alone[at], "in turn");
    alike(b.step(number), b_alone[at], "in turn");
  }
  // each thread also loads a program of its own while the other runs
  const auto again = [](Voice& voice, const edge_asr_model* model, std::uint64_t seed, const auto& alone) {
    for (int pass = 0; pass < kPasses; ++pass) {
      Voice fresh(model, seed);
      for (int number = 0; number < kSteps; ++number) {
        const auto at = static_cast<std::size_t>(number);
        alike(voice.step(number), alone[at], "on two threads");
        alike(fresh.step(number), alone[at], "on two threads, loaded meanwhile");
      }
    }
  };
  std::thread thread([&] { again(a, one.get(), 1, a_alone); });
  again(b, other.get(), 2, b_alone);
  thread.join();
  std::puts("alike");
  return 0;
}
