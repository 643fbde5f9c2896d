//! What a fault means to service processes.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::error::FaultError;
use super::fault::What;
use crate::process::{Child, Signal};

/// Service processes, as whoever started them keeps them: what a fault needs of them.
pub trait ServiceProcesses: Send {
    /// Those that run, the oldest first.
    fn running(&mut self) -> &mut Vec<Child>;

    /// The oldest has ended by a fault. It stays among those that run until its log is kept, so that
    /// whoever gives up waiting loses nothing.
    fn oldest_ended(&mut self) -> BoxFuture<'_, ()>;

    /// Starts as many as are missing, and returns once they are ready; or says why not.
    fn start_missing(&mut self) -> BoxFuture<'_, Result<(), String>>;

    /// Whether one that is away is started again without any fault, so that one may come while none runs.
    fn restarts(&self) -> bool {
        false
    }

    /// How long one may take to end after SIGTERM.
    fn drain_limit(&self) -> Duration;
}

/// Breaks or mends; says what has happened.
pub(super) async fn inject(
    services: &mut dyn ServiceProcesses,
    what: What,
) -> Result<&'static str, FaultError> {
    if what != What::StartServices {
        somebody_runs(services).await?;
    }
    let one = matches!(
        what,
        What::KillService | What::StopService | What::RestartService | What::PauseService
    );
    match what {
        What::KillServices | What::KillService => end(services, one, true).await?,
        What::StopServices | What::StopService => end(services, one, false).await?,
        What::RestartServices | What::RestartService => end(services, one, false).await?,
        What::PauseServices | What::PauseService => signal(services, one, Signal::Stop).await?,
        What::ResumeServices => signal(services, false, Signal::Cont).await?,
        _ => {}
    }
    if starts_what_is_missing(what) {
        services.start_missing().await.map_err(FaultError::Services)?;
    }
    Ok(match what {
        What::KillServices => "killed, and ready again",
        What::KillService => "one of them killed, and ready again",
        What::StopServices => "stopped",
        What::StopService => "one of them stopped",
        What::RestartServices => "stopped, and ready again",
        What::RestartService => "one of them stopped, and ready again",
        What::PauseServices => "paused",
        What::PauseService => "one of them paused",
        What::ResumeServices => "go on",
        _ => "ready",
    })
}

/// Whether what is away is back at the end of it.
fn starts_what_is_missing(what: What) -> bool {
    use What::{KillService, KillServices, RestartService, RestartServices, StartServices};
    matches!(what, KillServices | KillService | RestartServices | RestartService | StartServices)
}

fn runs(process: &Child) -> bool {
    process.try_status().is_none()
}

/// A fault that hits nobody proves nothing.
async fn somebody_runs(services: &mut dyn ServiceProcesses) -> Result<(), FaultError> {
    if services.running().iter().any(runs) {
        return Ok(());
    }
    if !services.restarts() {
        return Err(FaultError::NoServices);
    }
    for _ in 0..services.running().len() {
        services.oldest_ended().await;
    }
    services.start_missing().await.map_err(FaultError::Services)?;
    match services.running().iter().any(runs) {
        true => Ok(()),
        false => Err(FaultError::NoServices),
    }
}

/// Ends all, or the oldest that runs: each has its turn.
async fn end(services: &mut dyn ServiceProcesses, one: bool, kill: bool) -> Result<(), FaultError> {
    if one {
        oldest_first(services.running());
    }
    let many = services.running().len();
    let limit = services.drain_limit();
    for _ in 0..if one { many.min(1) } else { many } {
        let oldest = &services.running()[0];
        if kill {
            oldest.kill().await?;
        } else {
            oldest.stop(limit).await?;
        }
        services.oldest_ended().await;
    }
    Ok(())
}

/// Those that have ended by themselves are not in the way of the oldest that runs.
fn oldest_first(running: &mut [Child]) {
    if let Some(at) = running.iter().position(runs) {
        running[..=at].rotate_right(1);
    }
}

/// Signals all that run, or the oldest, which then counts as the youngest.
async fn signal(
    services: &mut dyn ServiceProcesses,
    one: bool,
    signal: Signal,
) -> Result<(), FaultError> {
    let running = services.running();
    if one {
        oldest_first(running);
    }
    let many = if one { 1 } else { running.len() };
    for process in running.iter().filter(|process| runs(process)).take(many) {
        process.signal(signal).await?;
    }
    running.rotate_left(if one { 1 } else { 0 });
    Ok(())
}
