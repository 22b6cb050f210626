#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace playground {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::int64_t port = 0;       ///< 0: a free one
  std::int64_t sessions = 16;  ///< at once
  double idle_seconds = 600;   ///< after which a session ends that nobody asks for anything
};

/// Serves the page and its sessions by HTTP until it is destroyed. Only to pages of its own: a Host header that is not
/// its own, or an Origin that is not, gets 403. Errors are one line of text.
///
/// | request | answer |
/// |---|---|
/// | GET /, /page.css, /page.js | the page |
/// | GET /controls | controls_json |
/// | POST /session, {"address": text} or nothing | {"session": id, "state": state_json} |
/// | POST /session/ID, a Session::command | its answer |
/// | GET /session/ID/frames | server-sent events, a frame_json each |
/// | GET /session/ID/model, POST /session/ID/model | the parameters as a safetensors file |
/// | DELETE /session/ID | ends it |
///
/// 400 for a request that is malformed, larger than 1 MiB or unknown; 410 for a session that has ended, 503 when there
/// are as many as there may be and none was left: not used for 5 seconds, while pages that are shown use theirs.
class Server {
 public:
  /// Binds and begins to serve. xgrad::Error when it cannot.
  explicit Server(const ServerOptions& options);
  /// Ends all sessions and streams, within a second.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// `http://127.0.0.1:8080/`
  std::string address() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace playground
