// Only what a formatter and the tests cannot see. Layout is prettier's, types are tsc's.
const rules = {
  complexity: ['error', 15],
  'no-unused-vars': ['error', { args: 'none', caughtErrors: 'none', ignoreRestSiblings: true }],
};

export default [
  { ignores: ['build/**', '.venv/**', 'bench/node/node_modules/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  { files: ['**/*.js'], languageOptions: { sourceType: 'commonjs' }, rules },
  { files: ['**/*.mjs'], languageOptions: { sourceType: 'module' }, rules },
];
