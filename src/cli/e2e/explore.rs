//! `e2e explore`: kills a service at each of its messages, a run each, and shows what that breaks.

use clap::Args;
use serde_json::json;

use super::one::{One, OneArgs};
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::{Global, whole};
use crate::cli::output::Output;
use crate::cli::shell::word;
use crate::cli::signals::Signals;
use crate::counted::counted;
use crate::e2e::scenario::Point;
use crate::e2e::session::{self, Came, Exploration, ExploreError, Explored, Exploring};

/// Arguments of `e2e explore`.
#[derive(Debug, Args)]
pub struct ExploreArgs {
    #[command(flatten)]
    one: OneArgs,
    /// The service that is killed, all of its processes, and started again.
    #[arg(long, value_name = "NAME")]
    service: String,
    /// At most so many points: the first message of each kind on each subject before the second.
    #[arg(long, value_name = "N", default_value_t = 200, conflicts_with = "point",
          value_parser = whole::<usize>(1..=1_000_000))]
    points: usize,
    /// Only this point, as the table has it: after:ack:orders.new:3.
    #[arg(long, value_name = "POINT")]
    point: Option<Point>,
}

pub async fn run(
    args: &ExploreArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let mut signals = Signals::listen()?;
    let explored = async {
        let looks = |settings: &session::Settings, _: &_, _| {
            session::service_of(settings, &args.service).map_err(CliError::from)
        };
        let run = args.one.run();
        let one = One::find(&run, global, context, output, looks).await?;
        explore(args, &one, output).await
    };
    tokio::select! {
        explored = explored => explored,
        () = signals.first() => Ok(Exit::Interrupted),
    }
}

async fn explore(args: &ExploreArgs, one: &One, output: &Output) -> Result<Exit, CliError> {
    let One { settings, fixture, client, .. } = one;
    let exploring =
        Exploring { service: args.service.clone(), most: args.points, at: args.point.clone() };
    output.line(format!("{} [{}], kills of {}", fixture.name, client.name, args.service));
    let command = settings.command.replacen("mono-demo e2e", "mono-demo e2e explore", 1);
    let again = |point: &str| {
        format!(
            "{command} {} --client {} --seed {} --service {} --point {}",
            fixture.name,
            client.name,
            settings.machine.seed,
            word(&args.service),
            word(point)
        )
    };
    let mut told = |explored: &Explored| show(explored, &again, output);
    let explored = session::explore(settings, fixture, client, &exploring, &mut told).await?;
    let counts = Counts::of(&explored);
    output.line(counts.said(&explored));
    let points: Vec<_> = explored
        .points
        .iter()
        .map(|explored| {
            let mut object = json!(explored);
            object["again"] = json!(again(&explored.point));
            object
        })
        .collect();
    output.object(&json!({
        "ok": counts.exit() == Exit::Success,
        "scenario": fixture.name,
        "client": client.name,
        "service": args.service,
        "messages": explored.messages,
        "left_out": explored.left_out,
        "points": points,
    }));
    Ok(counts.exit())
}

/// One row, and of what is red why, and how it is run alone.
fn show(explored: &Explored, again: &dyn Fn(&str) -> String, output: &Output) {
    let Explored { point, came } = explored;
    let first = |text: &'_ str| text.lines().next().map(str::to_owned).into_iter().collect();
    let (verdict, why): (String, Vec<String>) = match came {
        Came::Held => ("held".to_owned(), Vec::new()),
        Came::NeverCame => ("never came".to_owned(), Vec::new()),
        Came::StepFailed { message } => ("a step fails".to_owned(), first(message)),
        Came::Unknown { reason, log } => {
            let why: Vec<String> = first(reason);
            ("not known".to_owned(), why.into_iter().chain(log.iter().cloned()).collect())
        }
        Came::Broken { promises, check, message } if promises.is_empty() => {
            let what = if check.is_some() { "a check fails" } else { "the run does not end well" };
            (format!("BROKEN  {what}"), first(message))
        }
        Came::Broken { promises, .. } => {
            let names: Vec<String> = promises.iter().map(ToString::to_string).collect();
            let places = promises.iter().map(|broken| broken.message.clone());
            (format!("BROKEN  {}", names.join("; ")), places.collect())
        }
    };
    output.line(format!("{point:<50}  {verdict}"));
    why.iter().for_each(|line| output.line(format!("    {line}")));
    if !matches!(came, Came::Held) {
        output.line(format!("    again: {}", again(point)));
    }
}

/// How many points came to what.
#[derive(Debug, Default)]
struct Counts {
    held: usize,
    broken: usize,
    step_failed: usize,
    never_came: usize,
    unknown: usize,
}

impl Counts {
    fn of(exploration: &Exploration) -> Self {
        let mut counts = Self::default();
        for explored in &exploration.points {
            *match explored.came {
                Came::Held => &mut counts.held,
                Came::Broken { .. } => &mut counts.broken,
                Came::StepFailed { .. } => &mut counts.step_failed,
                Came::NeverCame => &mut counts.never_came,
                Came::Unknown { .. } => &mut counts.unknown,
            } += 1;
        }
        counts
    }

    fn said(&self, exploration: &Exploration) -> String {
        let messages = exploration.messages.map(|many| format!("{}, ", counted(many, "message")));
        let mut said = format!(
            "{}{}: {} held, {} broken",
            messages.unwrap_or_default(),
            counted(exploration.points.len(), "point"),
            self.held,
            self.broken
        );
        for (many, what) in [
            (self.step_failed, "with a step that fails"),
            (self.never_came, "never came"),
            (self.unknown, "not known"),
            (exploration.left_out, "left out by --points"),
        ] {
            if many > 0 {
                said.push_str(&format!(", {many} {what}"));
            }
        }
        said
    }

    /// Where no kill held or broke anything, nothing is proved.
    fn exit(&self) -> Exit {
        match self {
            Self { broken: 1.., .. } | Self { step_failed: 1.., .. } => Exit::Mismatch,
            Self { unknown: 1.., .. } | Self { held: 0, .. } => Exit::Infrastructure,
            _ => Exit::Success,
        }
    }
}

impl From<ExploreError> for CliError {
    fn from(error: ExploreError) -> Self {
        let exit = match error {
            ExploreError::NoService { .. }
            | ExploreError::Shared { .. }
            | ExploreError::Elsewhere => Exit::Usage,
            ExploreError::Fails(_) | ExploreError::NoMessages(_) => Exit::Mismatch,
            ExploreError::CannotRun(_) => Exit::Infrastructure,
        };
        Self { hint: error.hint(), ..Self::new(exit, error) }
    }
}
