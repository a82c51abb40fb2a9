// A small form: data set, family, name, epochs. All else a recipe can say goes through the API.
import { useEffect, useState } from "preact/hooks";
import { listDatasets, startJob, type Job } from "../api/jobs";
import { strings } from "../strings";
import { Refusal } from "../try/Refusal";

const t = strings.jobs.form;
/** By what they learn from; what is usual for the data is the first. */
const FAMILIES = {
  [t.pictures]: ["cnn", "resnet", "mlp", "transfer"],
  [t.tables]: ["boosting", "forest", "linear", "mlp"],
  [t.texts]: ["words", "text-cnn", "gru", "transformer"],
  [t.sounds]: ["audio-cnn"],
};
const SAMPLE = "sample:mnist";

export function NewJobForm({ onStarted }: { onStarted: (job: Job) => void }) {
  const [known, setKnown] = useState<string[]>([]);
  const [refusal, setRefusal] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    listDatasets().then(setKnown, () => {});
  }, []);

  const submit = async (event: Event) => {
    event.preventDefault();
    const said = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(said.get(name) ?? "").trim();
    const epochs = Number(text("epochs"));
    setBusy(true);
    try {
      const family = text("family");
      const job = { data: text("data"), name: text("name"), ...(family && { family }) };
      onStarted(await startJob(epochs ? { ...job, epochs } : job));
      setRefusal(null);
    } catch (error) {
      setRefusal(error as Error);
    }
    setBusy(false);
  };

  return (
    <form class="new-job" data-testid="new-job" onSubmit={submit}>
      <h2>{t.title}</h2>
      <label class="wide">
        <span>{t.data}</span>
        <input name="data" list="datasets" required defaultValue={SAMPLE} autocomplete="off" />
      </label>
      <datalist id="datasets">
        {[...new Set([...known, SAMPLE])].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label class="wide">
        <span>{t.name}</span>
        <input name="name" required placeholder="digits" autocomplete="off" />
      </label>
      <label>
        <span>{t.family}</span>
        <select name="family">
          <option value="">{t.usual}</option>
          {Object.entries(FAMILIES).map(([kind, families]) => (
            <optgroup key={kind} label={kind}>
              {families.map((family) => (
                <option key={family}>{family}</option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <label>
        <span>{t.epochs}</span>
        <input name="epochs" type="number" min="1" max="20000" placeholder={t.usual} />
      </label>
      <button type="submit" class="button primary" disabled={busy}>
        {t.send}
      </button>
      <Refusal error={refusal} />
    </form>
  );
}
